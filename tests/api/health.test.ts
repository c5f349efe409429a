import { setTimeout as sleep } from 'node:timers/promises';
import { healthSchema } from '../../domain/health.ts';
import { createLexicalOnly } from '../../adapters/embeddings/embedder.ts';
import { connectQdrant } from '../../adapters/qdrant/connect.ts';
import { createHealth } from '../../api/health.ts';
import { servers } from '../support/servers.ts';
import { closedPort, namespace, serviceNameOfItsOwn, smallestSpec, startApi } from './start-api.ts';

test('D15 health says what was built, the versions and the state of each server; 200 though no worker runs', async () => {
  const api = await startApi();
  try {
    const { status, body } = await api.ask('GET', '/health', { token: null });
    expect(status).toBe(200);
    expect(healthSchema.parse(body)).toMatchObject({
      build_sha: 'abc',
      build_time: '2025-01-01T00:00:00Z',
      build_branch: 'main',
    });
    expect(Object.keys(body.versions).sort()).toEqual(['holdfast', 'node', 'postgres', 'qdrant', 'temporal']);
    expect(body.servers.temporal).toMatchObject({ state: 'ok', reason: null });
    expect(body.servers.postgres).toMatchObject({ state: 'ok', reason: null });
    expect(body.servers.qdrant).toMatchObject({ state: 'ok', reason: null });
  } finally {
    await api.close();
  }
});

test('O1 health is degraded, not down, and quick when nothing behind it answers', async () => {
  const api = await startApi({
    databaseUrl: closedPort,
    temporalAddress: '127.0.0.1:1',
    qdrant: { url: 'http://127.0.0.1:1', apiKey: null },
  });
  try {
    const from = performance.now();
    const { status, body, text } = await api.ask('GET', '/v1/health', { token: null });
    expect(performance.now() - from).toBeLessThan(2_500);
    expect(status).toBe(200);
    expect(body.status).toBe('degraded');
    for (const server of ['temporal', 'postgres', 'qdrant', 'worker'])
      expect(body.servers[server]?.state).toBe('unavailable');
    expect(text).not.toMatch(/127\.0\.0\.1|nobody/);
  } finally {
    await api.close();
  }
});

test('O1 a Qdrant that refuses the key is named as such, without the key', async () => {
  const api = await startApi({ qdrant: { ...servers().qdrant, apiKey: 'wrong-key' } });
  try {
    const { body, text } = await api.ask('GET', '/health', { token: null });
    expect(body.servers.qdrant).toEqual({ state: 'unavailable', version: null, reason: 'it refuses the API key' });
    expect(body.status).toBe('degraded');
    expect(text).not.toContain('wrong-key');
  } finally {
    await api.close();
  }
});

test('O1 a hundred questions at once are one look at the servers', async () => {
  const api = await startApi();
  try {
    const answers = await Promise.all(Array.from({ length: 100 }, () => api.parts.health()));
    expect(new Set(answers.map(({ checked_at }) => checked_at)).size).toBe(1);
  } finally {
    await api.close();
  }
});

test('O1 metrics: durations by action and status, servers, build, and deploys counted from their rows', async () => {
  const api = await startApi();
  try {
    const { ops } = api.databases;
    await api.ask('PUT', '/v1/services/web', { body: smallestSpec });
    for (const outcome of ['promoted', 'promoted', 'rolled_back']) {
      await ops`insert into deploys (id, service, kind, actor, request, result, workflow_id, phase, closed_at)
        values (gen_random_uuid(), 'web', 'deploy', 'x', '{}', ${ops.json({ outcome })}, 'deploy/web', 'closed', now())`;
    }
    await api.ask('GET', '/v1/services');
    const { text, headers } = await api.ask('GET', '/metrics');
    expect(headers.get('content-type')).toContain('text/plain');
    expect(text).toContain('holdfast_http_request_duration_seconds_count{action="service_list",status="200"} 1');
    expect(text).toContain('holdfast_server_up{server="postgres"} 1');
    expect(text).toContain('holdfast_build_info{version="0.0.0",build_sha="abc",build_branch="main"} 1');
    expect(text).toContain('holdfast_deploys_total{outcome="promoted"} 2');
    expect(text).toContain('holdfast_deploys_total{outcome="rolled_back"} 1');
    expect(text).toContain('process_resident_memory_bytes');
    expect((await api.ask('GET', '/metrics')).text).toContain('holdfast_deploys_total{outcome="promoted"} 2');
  } finally {
    await api.close();
  }
});

test('O1 the worker is well while something polls the queue of the workflows', async () => {
  const api = await startApi();
  const { temporal, databases } = api;
  try {
    const taskQueue = serviceNameOfItsOwn();
    const build = { build_sha: 'a', build_time: 'b', build_branch: 'c' };
    const qdrant = connectQdrant(servers().qdrant);
    const embeddings = createLexicalOnly('not asked for');
    const behind = { sql: databases.ops, temporal, qdrant, embeddings, namespace, build, version: '0', taskQueue };
    expect((await createHealth(behind)()).servers.worker.state).toBe('unavailable');
    const { connection } = temporal;
    const poll = { namespace, taskQueue: { name: taskQueue }, identity: 'test' };
    const polling = connection
      .withDeadline(Date.now() + 4_000, () => connection.workflowService.pollWorkflowTaskQueue(poll))
      .catch(() => undefined); // nothing to do: the deadline ends it
    await sleep(1_000);
    expect((await createHealth(behind)()).servers.worker).toEqual({ state: 'ok', version: null, reason: null });
    await polling;
  } finally {
    await api.close();
  }
});
