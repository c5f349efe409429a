import type { Client } from '@modelcontextprotocol/client';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createProgram } from '../../cli/program.ts';
import { createTools } from '../../api/mcp/tools.ts';
import { actions, type Action, type ActionName } from '../../domain/action.ts';
import { deploySchema } from '../../domain/deploy/schemas.ts';
import { logPageSchema } from '../../domain/log.ts';
import { allows, roles } from '../../domain/role.ts';
import { packageRoot } from '../../infra/package-root.ts';
import { answerTo, anyText, connectHttp, eras, refusalOf, withText, writeLog } from './mcp-clients.ts';
import { serviceNameOfItsOwn, smallestSpec, startApi, type TestApi } from './start-api.ts';

let api: TestApi;
const started: string[] = [];
beforeAll(async () => (api = await startApi()));
afterAll(async () => {
  // No worker runs: what was started would wait for ever.
  const { workflow } = api.temporal.client;
  await Promise.allSettled(started.map((name) => workflow.getHandle(`deploy/${name}`).terminate()));
  await api.close();
});

const toolNames = [
  ...['health_show', 'service_list', 'service_show', 'service_stop', 'safe_mode_clear', 'service_health', 'log_read'],
  ...['policy_show', 'policy_test', 'release_list', 'deploy_start', 'deploy_list', 'deploy_show', 'deploy_override'],
  ...['template_list', 'project_propose', 'proposal_list', 'proposal_show', 'proposal_withdraw', 'project_list'],
  ...['project_show', 'project_refine_propose', 'question_set_list', 'question_set_show'],
  ...['wave_start', 'wave_list', 'wave_show', 'wave_items', 'wave_approve', 'wave_pause', 'wave_resume', 'wave_cancel'],
  ...['wave_retry', 'wave_complete', 'project_refresh', 'project_rollback', 'project_release', 'generation_list'],
  ...['source_status', 'source_files', 'source_file_remove'],
  ...['search', 'drill_start', 'drill_list', 'drill_show'],
  ...['memory_create', 'memory_list', 'memory_show', 'memory_forget', 'memory_search'],
  ...['evaluation_start', 'evaluation_list', 'evaluation_show'],
  ...['backup_create', 'backup_list', 'backup_show', 'backup_validate', 'backup_pin', 'backup_push', 'backup_pull'],
  ...['offsite_list', 'offsite_show', 'backup_run_list', 'backup_run_show', 'restore_list', 'restore_show'],
  ...['backup_key_show', 'schedule_list', 'event_list'],
];
const roleOf = (name: string) => actions[name as ActionName].role ?? 'viewer';

async function registered(spec: object = smallestSpec): Promise<string> {
  const name = serviceNameOfItsOwn();
  started.push(name);
  expect((await api.ask('PUT', `/v1/services/${name}`, { body: spec, token: api.tokens.admin })).status).toBe(201);
  return name;
}

const inAnHour = () => new Date(Date.now() + 3_600_000).toISOString();

describe.each(eras)('protocol %s', (version, mode) => {
  const clients: Client[] = [];
  afterAll(() => Promise.all(clients.map((client) => client.close())));
  async function as(role: (typeof roles)[number]): Promise<Client> {
    const client = await connectHttp(api.url, api.tokens[role], mode);
    clients.push(client);
    return client;
  }

  test('O5 the version is agreed and the server says what it is', async () => {
    const client = await as('viewer');
    expect(client.getNegotiatedProtocolVersion()).toBe(version);
    expect(client.getServerVersion()).toMatchObject({ name: 'holdfast' });
    expect(client.getInstructions()).toContain('deploy_show');
  });

  test.each(roles)('O5 %s: the list has what this role may call, in the order of the table', async (role) => {
    const { tools } = await (await as(role)).listTools();
    const expected = toolNames.filter((name) => allows(role, roleOf(name)));
    expect(tools.map(({ name }) => name)).toEqual(expected);
    expect(expected.includes('deploy_start')).toBe(role === 'operator' || role === 'admin');
  });

  test('O5 every tool has four hints, a schema of objects for what goes in and out, and refers to nothing', async () => {
    const { tools } = await (await as('admin')).listTools();
    for (const { name, annotations, inputSchema, outputSchema, description, title } of tools) {
      const { method } = actions[name as ActionName];
      const { readOnlyHint, destructiveHint, idempotentHint, openWorldHint } = annotations ?? {};
      expect([name, ...[destructiveHint, idempotentHint, openWorldHint].map((hint) => typeof hint)]).toEqual([
        name,
        ...['boolean', 'boolean', 'boolean'],
      ]);
      // A search is a question too long for a path.
      const asks = method === 'get' || ['search', 'memory_search'].includes(name);
      expect([name, readOnlyHint]).toEqual([name, asks]);
      expect([name, inputSchema.type, outputSchema?.['type']]).toEqual([name, 'object', 'object']);
      expect(Object.keys(inputSchema.properties ?? {}).includes('idempotency_key')).toBe(method === 'post');
      expect(JSON.stringify([inputSchema, outputSchema])).not.toContain('$ref');
      expect(name).toMatch(/^[A-Za-z0-9_.-]+$/);
      expect([title, description].every((text) => text !== undefined && text.length > 5)).toBe(true);
    }
  });

  test('O5 every tool that reads answers in the form that it announced', async () => {
    const name = await registered();
    const client = await as('viewer');
    await client.listTools(); // from here on the client holds every answer against the schema
    const { id } = await answerTo(await as('operator'), 'deploy_start', { name });
    expect(await answerTo(client, 'health_show')).toMatchObject({ build_sha: 'abc' });
    expect(await answerTo(client, 'service_list', { limit: 200 })).toMatchObject({ next_cursor: null });
    expect(await answerTo(client, 'service_show', { name })).toMatchObject({ name });
    expect(await answerTo(client, 'release_list', { name })).toEqual({ items: [], next_cursor: null });
    expect(await answerTo(client, 'deploy_list', { name })).toMatchObject({ items: [{ id }] });
    expect(await answerTo(client, 'deploy_show', { id })).toMatchObject({ id, service: name, closed_at: null });
    expect(await answerTo(client, 'policy_show', { name })).toMatchObject({ service: name });
    expect(await answerTo(client, 'policy_test', { name, target: 'a'.repeat(40) })).toMatchObject({ service: name });
    expect(await answerTo(client, 'event_list', { subject: `service/${name}` })).toMatchObject({
      items: [{ type: 'service.registered' }],
    });
    expect(await answerTo(client, 'log_read', { name, limit: 5 })).toMatchObject({ logs: [], truncated: false });
    // What was registered without a box is on the box of this API.
    expect(await answerTo(client, 'service_health', { name })).toMatchObject({ service: name, healthy: false });
  });

  test('O5 a deploy answers at once with its id; the same key is the same deploy, over MCP and HTTP', async () => {
    const name = await registered();
    const client = await as('operator');
    const given = { name, ref: 'main', kind: 'deploy', idempotency_key: `once ${version}` };
    const first = deploySchema.parse(await answerTo(client, 'deploy_start', given));
    expect(first).toMatchObject({ service: name, actor: 'operator', phase: 'requested', closed_at: null });
    const reversed = Object.fromEntries(Object.entries(given).reverse());
    expect((await answerTo(client, 'deploy_start', reversed))['id']).toBe(first.id);
    const overHttp = await api.ask('POST', `/v1/services/${name}/deploys`, {
      body: { kind: 'deploy', ref: 'main' },
      headers: { 'idempotency-key': `once ${version}` },
    });
    expect([overHttp.status, overHttp.body.id]).toEqual([202, first.id]);
    expect(await api.databases.ops`select 1 from deploys where service = ${name}`).toHaveLength(1);

    const other = await refusalOf(client, 'deploy_start', { ...given, ref: 'other' });
    expect(other).toMatchObject({ type: 'urn:holdfast:problem:idempotency_key_reused', next: anyText });
  });

  test('O5 a busy service is a failure of the call that names the run in the way; under a key for ever', async () => {
    const name = await registered();
    const client = await as('operator');
    const { id, run_id } = await answerTo(client, 'deploy_start', { name });
    for (const key of [{}, { idempotency_key: `busy ${version}` }, { idempotency_key: `busy ${version}` }]) {
      const busy = await refusalOf(client, 'deploy_start', { name, ...key });
      expect(busy).toMatchObject({ status: 409, run_id, next: `holdfast deploys show ${String(id)}` });
    }
    expect(await refusalOf(client, 'service_stop', { name })).toMatchObject({ status: 409, run_id });
  });

  test('D9 an override that is refused is a failure of the call, with its reason and advice', async () => {
    const name = await registered();
    const client = await as('operator');
    const { id } = await answerTo(client, 'deploy_start', { name });
    await api.temporal.client.workflow.getHandle(`deploy/${name}`).terminate();
    const said = { id, action: 'abort', reason: 'wrong branch', expires_at: inAnHour() };
    expect(await refusalOf(client, 'deploy_override', said)).toMatchObject({
      status: 409,
      detail: withText('override_too_late'),
      next: `holdfast deploys show ${String(id)}`,
    });
    const { overrides } = await answerTo(client, 'deploy_show', { id });
    expect(overrides).toMatchObject([{ action: 'abort', actor: 'operator', refusal: 'override_too_late' }]);
    const without = await refusalOf(client, 'deploy_override', { ...said, reason: undefined });
    expect(without).toMatchObject({ errors: [{ path: 'reason' }] });
  });

  test('O5 what cannot be understood says which field, and never its value', async () => {
    const client = await as('operator');
    const name = await registered();
    const wrong = [
      [{ name, colour: 'hunter2' }, 'colour'],
      [{ name, kind: 'hunter2' }, 'kind'],
      [{}, 'name'],
      [{ name, idempotency_key: '' }, 'idempotency_key'],
      [{ name, ref: 'a', requested_release_id: 'c'.repeat(40) }, ''],
    ] as const;
    for (const [given, path] of wrong) {
      const refused = await refusalOf(client, 'deploy_start', given);
      expect(refused).toMatchObject({ status: 400, errors: [{ path }], next: anyText });
      expect(JSON.stringify(refused)).not.toContain('hunter2');
    }
    expect(await refusalOf(client, 'service_list', { limit: 201 })).toMatchObject({ errors: [{ path: 'limit' }] });
    expect(await refusalOf(client, 'service_show', { name: 'nobody' })).toMatchObject({ status: 404 });
    await expect(client.callTool({ name: 'token_create', arguments: {} })).rejects.toMatchObject({ code: -32602 });
  });

  test.each(['viewer', 'agent'] as const)('O5 %s may not deploy, and is told which role may', async (role) => {
    const name = await registered();
    const client = await as(role);
    for (const tool of toolNames.filter((one) => !allows(role, roleOf(one)))) {
      expect(await refusalOf(client, tool, { name })).toMatchObject({
        type: 'urn:holdfast:problem:forbidden',
        detail: withText(roleOf(tool)),
        next: withText('holdfast token create'),
      });
    }
    expect(await api.databases.ops`select 1 from deploys where service = ${name}`).toHaveLength(0);
  });

  test('D10 safe mode is cleared; what answers nothing over HTTP says that it is done', async () => {
    const name = await registered();
    await api.parts.services.setSafeMode(name);
    const client = await as('operator');
    await client.listTools();
    expect(await answerTo(client, 'safe_mode_clear', { name })).toEqual({ done: true });
    expect(await answerTo(client, 'service_show', { name })).toMatchObject({ safe_mode: false });
    expect(await answerTo(client, 'service_stop', { name })).toMatchObject({ workflow_id: `deploy/${name}` });
  });

  test('O5 resources: the logs of services, a run; each says what the tool says', async () => {
    const name = await registered();
    const client = await as('viewer');
    const { id } = await answerTo(await as('operator'), 'deploy_start', { name });
    const { resources } = await client.listResources();
    expect(resources.map(({ uri }) => uri)).toContain(`holdfast://services/${name}/logs`);
    const { resourceTemplates } = await client.listResourceTemplates();
    expect(resourceTemplates.map(({ uriTemplate }) => uriTemplate)).toEqual([
      'holdfast://runs/{id}',
      'holdfast://waves/{id}',
      'holdfast://projects/{id}/waves{?cursor,limit}',
      'holdfast://services/{name}/logs{?cursor,limit}',
    ]);
    const run = await read(client, `holdfast://runs/${String(id)}`);
    expect(run).toEqual(await answerTo(client, 'deploy_show', { id }));
  });

  test('D14 a log is read to its end by cursors, over the tool and the resource alike', async () => {
    const name = await registered();
    const client = await as('viewer');
    const { id } = await answerTo(await as('operator'), 'deploy_start', { name });
    const nothing = await answerTo(client, 'log_read', { name });
    expect(nothing).toMatchObject({ logs: [], epoch: null });
    const lines = Array.from({ length: 25 }, (_, index) => `line ${index}`);
    await writeLog(api, name, String(id), lines.map((line) => `${line}\n`).join(''));
    const last = await read(client, `holdfast://services/${name}/logs?limit=2`);
    expect(last).toMatchObject({ logs: lines.slice(-2), truncated: false });
    expect(last).toEqual(await answerTo(client, 'log_read', { name, limit: 2 }));

    const heard: string[] = [];
    for (let cursor = String(nothing['cursor']), more = true; more;) {
      const uri = `holdfast://services/${name}/logs?limit=10&cursor=${encodeURIComponent(cursor)}`;
      const page = logPageSchema.parse(await read(client, uri));
      expect(page).toEqual(await answerTo(client, 'log_read', { name, limit: 10, cursor }));
      heard.push(...page.logs);
      [cursor, more] = [page.cursor, page.has_more];
    }
    expect(heard).toEqual(lines);
  });

  test('D14 a resource that does not exist, or a cursor that was made up, is an error with advice', async () => {
    const name = await registered();
    const client = await as('viewer');
    for (const uri of [
      'holdfast://runs/00000000-0000-4000-8000-000000000000',
      'holdfast://services/nobody/logs',
      'holdfast://colours/red',
    ]) {
      await expect(client.readResource({ uri })).rejects.toMatchObject({
        message: withText('here is no'),
      });
    }
    for (const query of ['cursor=made-up', 'limit=0', 'colour=red']) {
      const reading = client.readResource({ uri: `holdfast://services/${name}/logs?${query}` });
      await expect(reading).rejects.toMatchObject({ code: -32602, data: { status: 400, next: anyText } });
    }
  });

  test('O5 secrets are in no answer', async () => {
    const name = await registered({
      source: { git: 'https://bob:url-hunter2@git.example/web.git?access_token=query-hunter2' },
      run: { argv: ['node', 'web.js'], env: { PASSWORD: 'env-hunter2' } },
    });
    const token = api.tokens.admin;
    await api.parts.events.append({ type: 'error', subject: `service/${name}`, actor: 'x', data: { said: token } });
    const client = await as('viewer');
    const { id } = await answerTo(await as('operator'), 'deploy_start', { name });
    await writeLog(api, name, String(id), `started with ${token} at https://bob:url-hunter2@git.example/\n`);
    const answers = [
      await answerTo(client, 'log_read', { name }),
      await answerTo(client, 'service_show', { name }),
      await answerTo(client, 'event_list', { subject: `service/${name}` }),
      await read(client, `holdfast://services/${name}/logs`),
    ];
    const everything = JSON.stringify(answers) + api.logged();
    for (const shown of ['PASSWORD', 'started with']) expect(everything).toContain(shown);
    for (const secret of ['env-hunter2', 'url-hunter2', 'query-hunter2', ...Object.values(api.tokens)]) {
      expect(everything).not.toContain(secret);
    }
  });
});

async function read(client: Client, uri: string): Promise<unknown> {
  const { contents } = await client.readResource({ uri });
  expect(contents).toMatchObject([{ uri, mimeType: 'application/json' }]);
  return JSON.parse((contents[0] as { text: string }).text);
}

test('O1 one table: tools, operations of OpenAPI and commands are all of it, and nothing else', async () => {
  const names = Object.keys(actions);
  expect([...createTools().keys()]).toEqual(names.filter((name) => toolNames.includes(name)));
  expect([...createTools().keys()].sort()).toEqual([...toolNames].sort());
  const { text } = await api.ask('GET', '/v1/openapi.json', { token: null });
  const operationIds = [...text.matchAll(/"operationId":"(\w+)"/g)].map(([, id]) => id);
  expect(operationIds.sort()).toEqual([...names].sort());
  const program = createProgram();
  for (const { command } of Object.values<Action>(actions)) {
    if (command === null) continue;
    const found = command
      .split(' ')
      .reduce((at, word) => at.commands.find((one) => one.name() === word) ?? program, program);
    expect([command, found === program]).toEqual([command, false]);
  }
});

test('O5 the reference has every tool with its role and hints', () => {
  const reference = readFileSync(join(packageRoot, 'docs/reference/mcp.md'), 'utf8');
  const rows = [...reference.matchAll(/^\| `(\w+)` +\| .*?\| (\w+) +\|([^|]*)\|([^|]*)\|([^|]*)\|([^|]*)\|$/gm)];
  const described = rows.map(([, name, role, ...hints]) => [name, role, ...hints.map((hint) => hint.trim() === 'yes')]);
  const announced = [...createTools().values()].map(({ name, role, shown: { annotations } }) => {
    const { readOnlyHint, destructiveHint, idempotentHint, openWorldHint } = annotations ?? {};
    return [name, role, readOnlyHint === false, destructiveHint, idempotentHint, openWorldHint];
  });
  expect(described).toEqual(announced);
});
