import getPort from 'get-port';
import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { chmod, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { waveSchema, type Wave } from '../../domain/wave/schemas.ts';
import { loadConfig } from '../../infra/config.ts';
import type { Report } from '../../infra/stack/report.ts';
import { startStack, type Stack } from '../../infra/stack/stack.ts';
import { createRandom, fullSize, seed } from '../support/proof-size.ts';
import { removeTree } from '../support/remove-tree.ts';
import { startStubEmbeddings, stubDimensions, stubModel, type StubEmbeddings } from '../support/stub-embeddings.ts';

jest.setTimeout(240_000);

const parts = ['postgres', 'temporal', 'qdrant', 'worker'] as const;
const kills = fullSize ? 20 : 4;
const documents = 130;
const project = 'notes';

let home: string;
let stack: Stack;
let stub: StubEmbeddings;
/** How long a wave takes that loses nothing. */
let undisturbedMs: number;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'holdfast-wave-servers-'));
  await chmod(home, 0o711);
  stub = await startStubEmbeddings();
  const usual = loadConfig({
    ...process.env,
    HOLDFAST_EMBEDDINGS: stub.url,
    HOLDFAST_EMBEDDINGS_MODEL: stubModel,
    HOLDFAST_EMBEDDINGS_DIMENSIONS: String(stubDimensions),
  });
  const config = {
    ...usual,
    home,
    sourceRoots: [join(home, 'sources')],
    temporal: { ...usual.temporal, address: null },
    postgres: { ...usual.postgres, url: null },
    qdrant: { ...usual.qdrant, url: null },
    api: { ...usual.api, port: await getPort() },
  };
  const quiet: Report = { say: () => undefined, step: (_, work) => work() };
  for (let at = 0; at < documents; at += 1) write(at, 1);
  stack = await startStack(config, quiet, { apps: true, signal: new AbortController().signal });
  const spec = { title: 'Notes', sources: [{ kind: 'directory', name: 'docs', path: join(home, 'sources/docs') }] };
  const proposed = (await ask('POST', '/v1/projects/proposals', { project, spec })) as { id: string };
  await ask('POST', `/v1/projects/proposals/${proposed.id}/approve`, { self_approve: true });
  const since = performance.now();
  const { result } = await waveThrough(null);
  undisturbedMs = performance.now() - since;
  expect(result).toMatchObject({ outcome: 'committed', number: 1, documents });
}, 180_000);

afterAll(async () => {
  await stack.stop();
  await stub.close();
  removeTree(home);
}, 60_000);

function write(at: number, version: number): void {
  const path = join(home, 'sources/docs', `part-${at % 5}`, `page-${at}.md`);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `# Page ${at}\n\nWhat page ${at} says in version ${version}, unlike token${at}v${version}.\n`);
}

/** Rides through an API that answers 503 because what was killed is not back yet. */
async function ask(method: string, path: string, body?: unknown): Promise<unknown> {
  const [deadline, key] = [Date.now() + 60_000, randomUUID()];
  for (;;) {
    const { status, answer } = await send({ method, path, body, key });
    if (status < 400) return answer;
    if (status !== 503 || Date.now() > deadline)
      throw new Error(`${method} ${path}: ${status} ${JSON.stringify(answer)}`);
    await sleep(100);
  }
}

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
  readonly key: string;
}

async function send({ method, path, body, key }: Asked): Promise<{ status: number; answer: unknown }> {
  const response = await fetch(`${stack.api_url ?? ''}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${stack.token?.token ?? ''}`,
      'content-type': 'application/json',
      'idempotency-key': key,
    },
    body: body === undefined ? null : JSON.stringify(body),
  });
  return { status: response.status, answer: await response.json() };
}

/** A part that is not back yet from the wave before is waited for. */
async function kill(part: string): Promise<void> {
  for (;;) {
    const pid = stack.parts.find(({ name }) => name === part)?.pid();
    if (pid != null) return void process.kill(pid, 'SIGKILL');
    await sleep(20);
  }
}

/** A wave from its start to its end; what is to be lost is killed when this part of its usual time has passed. */
async function waveThrough(loss: { readonly part: string; readonly share: number } | null): Promise<Wave> {
  const { id } = waveSchema.parse(await ask('POST', `/v1/projects/${project}/waves`, {}));
  const killed = loss === null ? null : sleep(loss.share * undisturbedMs).then(() => kill(loss.part));
  const deadline = Date.now() + 150_000;
  while (Date.now() < deadline) {
    await sleep(100);
    const wave = waveSchema.parse(await ask('GET', `/v1/waves/${id}`));
    if (wave.closed_at === null) continue;
    await killed;
    return wave;
  }
  throw new Error(`wave ${id} did not end`);
}

async function hits(query: string): Promise<readonly { path: string; generation: number }[]> {
  const answer = await ask('POST', '/v1/search', { query, projects: [project], limit: 5 });
  return (answer as { hits: { path: string; generation: number }[] }).hits;
}

const random = createRandom();
const plan = Array.from({ length: kills }, (_, nth) => {
  const share = random();
  return { part: parts[nth % parts.length] ?? 'worker', share, at: Math.round(100 * share), version: nth + 2 };
});

test.each(plan)(
  `W7 G9 a wave that loses $part at $at % of its time is seen whole (seed ${seed})`,
  async ({ part, share, version }) => {
    stub.asked();
    for (let at = 0; at < documents; at += 1) write(at, version);
    const { result, evidence } = await waveThrough({ part, share });
    expect(result).toMatchObject({ outcome: 'committed', number: version, documents, failed: 0, quarantined: 0 });
    expect(evidence.filter(({ ok }) => !ok)).toEqual([]);
    // One text a page; embedded again at most what was in flight: four batches.
    expect(stub.asked()).toBeLessThanOrEqual(documents + 4 * 64);
    const [best] = await hits(`token17v${version}`);
    expect(best).toMatchObject({ path: 'part-2/page-17.md' });
    expect((await hits(`token17v${version - 1}`)).filter(({ path }) => path.endsWith('page-17.md'))).toEqual([]);
  },
);
