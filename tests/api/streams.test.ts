import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import type { Deploy } from '../../domain/deploy/schemas.ts';
import { emptyResult } from '../../domain/deploy/result.ts';
import { parsedSpec, smallestSpec, startApi, type TestApi } from './start-api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startApi({ streaming: { most: 3, heartbeatMs: 100 } });
  await api.ask('PUT', '/v1/services/web', { body: smallestSpec });
});
afterAll(() => api.close());

const result = emptyResult({ kind: 'deploy' }, 'self_hosted');

async function openDeploy(): Promise<string> {
  const deploy_id = randomUUID();
  const input = { deploy_id, service: 'web', box: 'b', actor: 'x', request: { kind: 'deploy' as const } };
  await api.parts.deploys.open(input, { workflow_id: 'deploy/web', run_id: randomUUID() }, result, parsedSpec());
  return deploy_id;
}

async function follow(id: string) {
  const leaving = new AbortController();
  const answer = await fetch(`${api.url}/v1/deploys/${id}`, {
    headers: { authorization: `Bearer ${api.tokens.viewer}`, accept: 'text/event-stream' },
    signal: leaving.signal,
  });
  const events: EventSourceMessage[] = [];
  const comments: string[] = [];
  const parser = createParser({ onEvent: (event) => events.push(event), onComment: (text) => comments.push(text) });
  const ended = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of answer.body ?? []) parser.feed(decoder.decode(chunk as Uint8Array, { stream: true }));
  })().catch(() => undefined);
  return { answer, events, comments, ended, leave: () => leaving.abort() };
}

async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !holds(); i++) await sleep(25);
  expect(holds()).toBe(true);
}

test('O1 a stream shows the deploy at once, each change, and ends after the closed one', async () => {
  const id = await openDeploy();
  const stream = await follow(id);
  expect(stream.answer.headers.get('content-type')).toMatch(/^text\/event-stream/);
  await until(() => stream.events.length === 1);
  await api.parts.deploys.update(id, 'watch', result);
  await until(() => stream.events.length === 2);
  await api.parts.deploys.addEvidence(id, { check: 'watch.candidate', phase: 'watch', ok: true, reason: 'http_ok' });
  await until(() => stream.events.length === 3);
  await api.parts.deploys.update(id, 'closed', { ...result, outcome: 'promoted' });
  await stream.ended;
  expect(stream.events.map(({ event }) => event)).toEqual(['deploy', 'deploy', 'deploy', 'deploy', 'end']);
  const shown = stream.events.slice(0, 4).map(({ data }) => JSON.parse(data) as Deploy);
  expect(shown.map(({ phase }) => phase)).toEqual(['requested', 'watch', 'watch', 'closed']);
  expect(shown[3]).toEqual((await api.ask('GET', `/v1/deploys/${id}`)).body);
});

test('O1 the stream of a closed deploy is that deploy and the end', async () => {
  const id = await openDeploy();
  await api.parts.deploys.update(id, 'closed', { ...result, outcome: 'promoted' });
  const stream = await follow(id);
  await stream.ended;
  expect(stream.events.map(({ event }) => event)).toEqual(['deploy', 'end']);
});

test('O1 a quiet stream has heartbeats; streams of one deploy share a poll; one that leaves is let go', async () => {
  const id = await openDeploy();
  const streams = [await follow(id), await follow(id)];
  await until(() => streams.every(({ comments }) => comments.length > 1));
  expect(api.app.streams.deploys.counts()).toEqual({ followed: 1, streams: 2 });
  streams[0]?.leave();
  await until(() => api.app.streams.deploys.counts().streams === 1);
  streams[1]?.leave();
  await until(() => api.app.streams.deploys.counts().streams === 0);
  expect(api.app.streams.deploys.counts().followed).toBe(0);
});

test('O1 more streams than it serves are 503 with Retry-After; an unknown deploy is 404', async () => {
  const id = await openDeploy();
  const streams = [await follow(id), await follow(id), await follow(id)];
  const refused = await follow(id);
  expect([refused.answer.status, refused.answer.headers.get('retry-after')]).toEqual([503, '5']);
  for (const stream of streams) stream.leave();
  await until(() => api.app.streams.deploys.counts().streams === 0);
  expect((await follow(randomUUID())).answer.status).toBe(404);
});
