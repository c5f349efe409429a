import { idOfRequest } from '../../domain/request-id.ts';
import { deploySchema } from '../../domain/deploy/schemas.ts';
import { namespace, serviceNameOfItsOwn, smallestSpec, startApi, uiUrl, type TestApi } from './start-api.ts';

let api: TestApi;
const started: string[] = [];
beforeAll(async () => (api = await startApi()));
afterAll(async () => {
  // No worker runs: what was started would wait for ever.
  for (const name of started) {
    await api.temporal.client.workflow
      .getHandle(`deploy/${name}`)
      .terminate()
      .catch(() => undefined);
  }
  await api.close();
});

async function registered(): Promise<string> {
  const name = serviceNameOfItsOwn();
  await api.ask('PUT', `/v1/services/${name}`, { body: smallestSpec });
  started.push(name);
  return name;
}

const deploy = (name: string, key?: string, body: object = {}) =>
  api.ask('POST', `/v1/services/${name}/deploys`, {
    body,
    ...(key === undefined ? {} : { headers: { 'idempotency-key': key } }),
  });

test('D4 a deploy is 202 with Location and says what was asked; it can be shown at once, without any worker', async () => {
  const name = await registered();
  const reply = await deploy(name, undefined, { ref: 'main', previous_release_id: 'b'.repeat(40) });
  expect(reply.status).toBe(202);
  expect(deploySchema.parse(reply.body)).toMatchObject({
    service: name,
    kind: 'deploy',
    actor: 'operator',
    phase: 'requested',
    closed_at: null,
    workflow_id: `deploy/${name}`,
    result: { previous_release_id: 'b'.repeat(40), deployment_context: 'self_hosted', outcome: null },
  });
  const { id, run_id, run_url } = reply.body;
  expect(run_url).toBe(`${uiUrl}/namespaces/${namespace}/workflows/deploy%2F${name}/${run_id}/history`);
  expect(reply.headers.get('location')).toBe(`/v1/deploys/${id}`);
  expect((await api.ask('GET', `/v1/deploys/${id}`)).body).toEqual(reply.body);
});

test('D4 a body that asks for two things, or for what is not there, is 400', async () => {
  const name = await registered();
  for (const body of [
    { ref: 'a', requested_release_id: 'c'.repeat(40) },
    { kind: 'rollback', ref: 'a' },
    { colour: 1 },
  ]) {
    expect((await deploy(name, undefined, body)).status).toBe(400);
  }
});

test('O8 a deploy that version 0.1.0 wrote down is shown', async () => {
  const name = await registered();
  const { id } = (await deploy(name)).body;
  await api.databases.ops`
    update deploys set result = result - 'release_metadata_skipped' - 'cut_over' where id = ${id}`;
  const { body } = await api.ask('GET', `/v1/deploys/${id}`);
  expect(deploySchema.parse(body).result).toMatchObject({ release_metadata_skipped: [], cut_over: null });
});

test('O1 another request for a busy service is 409 and names the run in the way; nothing is left of it', async () => {
  const name = await registered();
  const first = await deploy(name);
  const second = await deploy(name);
  expect(second.status).toBe(409);
  expect(second.body).toMatchObject({
    type: 'urn:holdfast:problem:busy',
    workflow_id: `deploy/${name}`,
    run_id: first.body.run_id,
    run_url: first.body.run_url,
    next: `holdfast deploys show ${first.body.id}`,
  });
  const stop = await api.ask('POST', `/v1/services/${name}/stop`);
  expect([stop.status, stop.body.run_id]).toEqual([409, first.body.run_id]);
  expect((await api.ask('GET', `/v1/services/${name}/deploys`)).body.items).toHaveLength(1);
});

test('O1 stopping is 202 and names its run', async () => {
  const name = await registered();
  const { status, body } = await api.ask('POST', `/v1/services/${name}/stop`);
  expect(status).toBe(202);
  expect(body).toMatchObject({ workflow_id: `deploy/${name}` });
  expect(body.run_url).toContain(body.run_id);
});

describe('idempotency', () => {
  test('O1 fifty at once under one key are one run and fifty equal answers', async () => {
    const name = await registered();
    const replies = await Promise.all(Array.from({ length: 50 }, () => deploy(name, 'fifty')));
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([202]));
    expect(new Set(replies.map(({ text }) => text)).size).toBe(1);
    expect(new Set(replies.map(({ headers }) => headers.get('location')))).toEqual(
      new Set([`/v1/deploys/${replies[0]?.body.id}`]),
    );
    expect(await api.databases.ops`select 1 from deploys where service = ${name}`).toHaveLength(1);
    const runs = [];
    for await (const run of api.temporal.client.workflow.list({ query: `WorkflowId = 'deploy/${name}'` }))
      runs.push(run);
    expect(runs.length).toBeLessThanOrEqual(1); // the list is written a little later than the run
  });

  test('O1 many keys at once do not wait for the one that is slow', async () => {
    const [slow, quick] = [await registered(), await registered()];
    const replies = await Promise.all([
      ...Array.from({ length: 20 }, () => deploy(slow, 'the same')),
      ...Array.from({ length: 20 }, (_, index) => deploy(quick, `key ${index}`)),
    ]);
    const count = (status: number) => replies.filter((reply) => reply.status === status).length;
    expect([count(202), count(409)]).toEqual([21, 19]);
  });

  test('O1 the same key with another request is 422', async () => {
    const [name, other] = [await registered(), await registered()];
    const first = await deploy(name, 'reused');
    for (const reply of [await deploy(name, 'reused', { ref: 'other' }), await deploy(other, 'reused')]) {
      expect([reply.status, reply.body.type]).toEqual([422, 'urn:holdfast:problem:idempotency_key_reused']);
    }
    expect((await deploy(name, 'reused')).body).toEqual(first.body);
  });

  test('O1 a 409 is an answer for ever too; a 400 and a 404 are not recorded', async () => {
    const name = await registered();
    await deploy(name);
    const busy = await deploy(name, 'was busy');
    expect(busy.status).toBe(409);
    await api.temporal.client.workflow.getHandle(`deploy/${name}`).terminate();
    const again = await deploy(name, 'was busy');
    expect([again.status, again.text]).toEqual([409, busy.text]);
    expect(again.headers.get('content-type')).toContain('problem+json');

    const later = serviceNameOfItsOwn();
    started.push(later);
    expect((await deploy(later, 'too early', { colour: 1 })).status).toBe(400);
    expect((await deploy(later, 'too early')).status).toBe(404);
    await api.ask('PUT', `/v1/services/${later}`, { body: smallestSpec });
    expect((await deploy(later, 'too early')).status).toBe(202);
  });

  test('O1 keys of two tokens do not meet', async () => {
    const name = await registered();
    const first = await deploy(name, 'shared');
    const headers = { 'idempotency-key': 'shared' };
    const other = await api.ask('POST', `/v1/services/${name}/deploys`, { token: api.tokens.admin, body: {}, headers });
    expect([first.status, other.status]).toEqual([202, 409]);
  });

  test('O1 a crash after the run was started and before anything was recorded is harmless', async () => {
    const name = await registered();
    const tokenId = api.tokens.operator.split('_')[1] ?? '';
    const deploy_id = idOfRequest(tokenId, 'crashed');
    const input = { deploy_id, service: name, box: 'testbox', actor: 'operator', request: { kind: 'deploy' as const } };
    const run = await api.parts.deployRuns.start(input); // and here the process died
    const retried = await deploy(name, 'crashed');
    expect([retried.status, retried.body.id, retried.body.run_id]).toEqual([202, deploy_id, run.run_id]);
  });

  test('O1 a crash between the row and the record is harmless, even when the deploy is over by now', async () => {
    const name = await registered();
    const first = await deploy(name, 'row only');
    await api.databases.ops`delete from idempotency_keys where key = 'row only'`;
    await api.temporal.client.workflow.getHandle(`deploy/${name}`).terminate();
    const retried = await deploy(name, 'row only');
    expect([retried.status, retried.body.run_id]).toEqual([202, first.body.run_id]);
  });

  test('O1 a key that is not 1 to 255 printable characters is 400', async () => {
    const name = await registered();
    for (const key of ['x'.repeat(256), 'tab\there']) expect((await deploy(name, key)).status).toBe(400);
  });
});

test('O1 deploys of a service in pages, newest first', async () => {
  const name = await registered();
  const ids: string[] = [];
  for (let i = 0; i < 3; i++) {
    ids.unshift((await deploy(name)).body.id);
    await api.temporal.client.workflow.getHandle(`deploy/${name}`).terminate();
  }
  const first = await api.ask('GET', `/v1/services/${name}/deploys?limit=2`);
  const second = await api.ask('GET', `/v1/services/${name}/deploys?limit=2&cursor=${first.body.next_cursor}`);
  expect([...first.body.items, ...second.body.items].map(({ id }) => id)).toEqual(ids);
  expect(second.body.next_cursor).toBeNull();
  expect((await api.ask('GET', `/v1/services/${name}/deploys?cursor=x`)).status).toBe(400);
});

test('D13 the audit in pages, by subject, oldest first', async () => {
  const subject = `service/${serviceNameOfItsOwn()}`;
  for (const type of ['deploy.started', 'error', 'deploy.completed']) {
    await api.parts.events.append({ type, subject, actor: 'x', phase: type === 'error' ? 'rollback_policy' : null });
  }
  const first = await api.ask('GET', `/v1/events?subject=${subject}&limit=2`);
  const second = await api.ask('GET', `/v1/events?subject=${subject}&limit=2&cursor=${first.body.next_cursor}`);
  const events = [...first.body.items, ...second.body.items];
  expect(events.map(({ type, phase }) => [type, phase])).toEqual([
    ['deploy.started', null],
    ['error', 'rollback_policy'],
    ['deploy.completed', null],
  ]);
});
