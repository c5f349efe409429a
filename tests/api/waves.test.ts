import { join } from 'node:path';
import { createBox } from '../../adapters/box.ts';
import { createInstanceStore } from '../../adapters/postgres/instances.ts';
import { boxPaths } from '../../infra/box-paths.ts';
import { startBenchApi, type BenchApi } from '../support/bench-api.ts';
import { createWaveBench, type WaveBench } from '../support/wave-bench.ts';
import { createCli, type Cli } from '../cli/run-cli.ts';
import type { Generation, Wave } from '../../domain/wave/schemas.ts';

jest.setTimeout(120_000);

let bench: WaveBench;
let api: BenchApi;
let cli: Cli;
beforeAll(async () => {
  bench = await createWaveBench();
  bench.startWorker();
  const { databases, home } = bench;
  const paths = boxPaths({ home, dockerHost: `unix://${join(home, 'no-docker.sock')}` });
  const box = createBox({ ...paths, env: process.env, instances: createInstanceStore(databases.ops) });
  api = await startBenchApi({ ...bench, box });
  cli = createCli(bench.home, { HOLDFAST_URL: api.url, HOLDFAST_TOKEN: api.token });
}, 120_000);
afterAll(async () => {
  await api.close();
  await bench.close();
});

const waves = (): string => `/v1/projects/${bench.project}/waves`;
const post = async (path: string, body: object = {}, headers = {}) =>
  (await api.ask('POST', path, body, headers)) as { status: number; body: Wave & { detail: string; next: string } };
const closed = async (id: string): Promise<Wave['result']> => (await bench.follow(id)).result;
const page = (name: string): string => `# ${name}\n\nWhat is to be said of ${name}.\n`;

async function inPhase(id: string, phase: string): Promise<void> {
  for (let look = 0; look < 600; look += 1) {
    if ((await bench.waves.find(id))?.phase === phase) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`It never came to ${phase}`);
}

test('W5 O1 a wave is started, busy for others, the same under its key, followed, approved, and closed', async () => {
  bench.write('a.md', page('A'));
  const key = { 'idempotency-key': 'the first' };
  const started = await post(waves(), { name: 'first', require_approval: true }, key);
  expect(started).toMatchObject({ status: 202, body: { name: 'first', trigger: 'operator', actor: 'operator' } });
  const { id } = started.body;
  expect((await post(waves(), { name: 'first', require_approval: true }, key)).body.id).toBe(id);
  expect(await post(waves())).toMatchObject({ status: 409, body: { next: `holdfast wave show ${id}` } });
  await inPhase(id, 'approve');
  expect(await post(`/v1/waves/${id}/retry`)).toMatchObject({
    status: 409,
    body: { detail: expect.stringContaining('phase approve') as string },
  });
  const stream = await fetch(`${api.url}/v1/waves/${id}`, {
    headers: { authorization: `Bearer ${api.token}`, accept: 'text/event-stream' },
  });
  expect(await post(`/v1/waves/${id}/approve`, { reason: 'it looks right' })).toMatchObject({ status: 200 });
  const events = await stream.text();
  expect(events).toContain('"approved_by":"operator"');
  expect(events.trimEnd().endsWith('event: end\ndata: {"outcome":"committed"}')).toBe(true);
  expect(await post(`/v1/waves/${id}/cancel`)).toMatchObject({ status: 409 });
  expect(await closed(id)).toMatchObject({ outcome: 'committed', documents: 1 });
});

test('W5 O1 what nobody can mean is refused before anything runs', async () => {
  for (const body of [
    { sources: ['docs'], reembed: true },
    { kind: 'trusted_operational', reembed: true },
    { kind: 'trusted_operational', sources: ['docs'] },
    { name: 'Not A Name' },
    { trigger: 'schedule' },
  ])
    expect(await post(waves(), body)).toMatchObject({ status: 400 });
  expect(await post('/v1/projects/nobody/waves')).toMatchObject({ status: 404 });
  expect(await post('/v1/waves/00000000-0000-4000-8000-000000000000/approve')).toMatchObject({ status: 404 });
});

test('W9 O1 a refresh while a wave runs is followed by one; only a plan is busy then', async () => {
  bench.write('b.md', page('B'));
  const { id } = (await post(waves(), { require_approval: true })).body;
  await inPhase(id, 'approve');
  const refresh = `/v1/projects/${bench.project}/refresh`;
  expect(await post(refresh, { dry_run: true })).toMatchObject({ status: 409 });
  expect(await post(refresh)).toMatchObject({ status: 202, body: { workflow_id: `wave/${bench.project}` } });
  await post(`/v1/waves/${id}/approve`);
  expect(await closed(id)).toMatchObject({ outcome: 'committed' });
  const listed = (await api.ask('GET', `${waves()}?limit=1`)) as unknown as { body: { items: Wave[] } };
  const [next] = listed.body.items;
  expect(next).toMatchObject({ trigger: 'again', actor: 'operator' });
  expect(await closed(next?.id ?? '')).toMatchObject({ outcome: 'nothing_to_do' });
});

test('W9 O1 a refresh under one key is one wave, also when it has ended and nobody noted down the answer', async () => {
  const refresh = `/v1/projects/${bench.project}/refresh`;
  const key = { 'idempotency-key': 'the push of one commit' };
  const first = await api.ask('POST', refresh, {}, key);
  const newest = async () =>
    ((await api.ask('GET', `${waves()}?limit=1`)) as unknown as { body: { items: Wave[] } }).body.items[0]?.id ?? '';
  await bench.client.workflow.getHandle(`wave/${bench.project}`).result();
  const wave = await newest();
  // As by an API that was killed between the start of the run and its answer.
  await bench.databases.ops`delete from idempotency_keys`;
  expect(await api.ask('POST', refresh, {}, key)).toMatchObject({ status: 202, body: first.body });
  expect(await newest()).toBe(wave);
});

test('W5 O3 the command line: planned, followed to its end, what was left out, put back, released', async () => {
  bench.write('c.md', page('C'));
  bench.write('broken.pdf', '%PDF-1.4 and then nothing');
  const planned = await cli.run(['wave', 'start', bench.project, '--dry-run', '--wait']);
  expect([planned.exitCode, planned.stdout]).toEqual([0, expect.stringContaining('2 added, 0 changed') as string]);
  const partly = await cli.run(['wave', 'start', bench.project, '--wait']);
  expect([partly.exitCode, partly.stdout]).toEqual([3, `${bench.project}: committed\n`]);
  expect(partly.stderr).toMatch(/✓ proof: .*\n[^]*\(left out: one document\)\nnext: holdfast wave items (\S+)\n$/);
  const items = await cli.run(['wave', 'items', /wave items (\S+)/.exec(partly.stderr)?.[1] ?? '']);
  expect(items.stdout).toMatch(/quarantined +docs +broken\.pdf/);
  const other = await cli.run(['wave', 'rollback', bench.project, '--reason', 'a mistake', '--confirm', 'lan']);
  expect([other.exitCode, other.stderr]).toEqual([
    2,
    expect.stringContaining(`this is about ${bench.project}`) as string,
  ]);
  const back = await cli.run(['wave', 'rollback', bench.project, '--reason', 'a mistake', '--confirm', bench.project]);
  expect([back.exitCode, back.stdout]).toEqual([0, expect.stringContaining('is undone; held') as string]);
  const list = await api.ask('GET', `/v1/projects/${bench.project}/generations`);
  const [last, before] = (list as unknown as { body: { items: Generation[] } }).body.items;
  expect([last, before]).toMatchObject([
    { state: 'rolled_back', visible: false },
    { state: 'committed', visible: true },
  ]);
  const held = await cli.run(['wave', 'start', bench.project, '--wait']);
  expect([held.exitCode, held.stdout]).toEqual([0, expect.stringContaining('held since its rollback') as string]);
  expect((await cli.run(['wave', 'release', bench.project])).exitCode).toBe(0);
  const unknown = await cli.run(['wave', 'start', bench.project, '--source', 'elsewhere', '--wait']);
  expect([unknown.exitCode, unknown.stderr]).toEqual([6, expect.stringContaining('SourceUnknown') as string]);
});
