import { setTimeout as sleep } from 'node:timers/promises';
import { NothingGuardsIt, serve } from '../../api/serve.ts';
import { createLogger } from '../../api/log.ts';
import { smallestSpec, startApi, type TestApi } from './start-api.ts';

let api: TestApi;
beforeAll(async () => (api = await startApi()));
afterAll(() => api.close());

const log = createLogger('info', { write: () => undefined });

test('O2 it does not listen beyond loopback while no token exists', async () => {
  const stopping = new AbortController();
  const { app } = api;
  const options = { host: '0.0.0.0', port: 0, app, log, stopping: stopping.signal };
  await expect(serve({ ...options, anyToken: async () => false })).rejects.toThrow(NothingGuardsIt);
  const listening = jest.fn(() => stopping.abort());
  await serve({ ...options, anyToken: () => api.parts.tokens.any(), onListening: listening });
  expect(listening).toHaveBeenCalledTimes(1);
});

test('O2 beyond loopback it waits for Postgres rather than listen without knowing', async () => {
  const stopping = new AbortController();
  const onListening = jest.fn();
  const anyToken = () => Promise.reject(new Error('down'));
  const served = serve({
    host: '0.0.0.0',
    port: 0,
    app: api.app,
    log,
    stopping: stopping.signal,
    anyToken,
    onListening,
  });
  await sleep(200);
  stopping.abort();
  await served;
  expect(onListening).not.toHaveBeenCalled();
});

test('O1 told to stop, it ends its streams and is gone within 5 s', async () => {
  const own = await startApi();
  try {
    await own.ask('PUT', '/v1/services/web', { body: smallestSpec });
    await own.databases.ops`insert into deploys (id, service, kind, actor, request, result, workflow_id)
      values ('00000000-0000-4000-8000-000000000000', 'web', 'deploy', 'x', '{}', '{}', 'deploy/web')`;
    const stopping = new AbortController();
    let port = 0;
    const served = serve({
      host: '127.0.0.1',
      port: 0,
      app: own.app,
      log,
      stopping: stopping.signal,
      anyToken: () => own.parts.tokens.any(),
      onListening: (bound) => (port = bound),
    });
    while (port === 0) await sleep(10);
    const stream = await fetch(`http://127.0.0.1:${port}/v1/deploys/00000000-0000-4000-8000-000000000000`, {
      headers: { authorization: `Bearer ${own.tokens.viewer}`, accept: 'text/event-stream' },
    });
    const from = performance.now();
    stopping.abort();
    await served;
    expect(performance.now() - from).toBeLessThan(5_000);
    expect(await stream.text()).not.toContain('event: end');
  } finally {
    await own.close();
  }
});
