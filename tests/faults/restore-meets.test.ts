import { randomUUID } from 'node:crypto';
import { memoryCollection } from '../../adapters/memories/collection.ts';
import { createMemoryStore } from '../../adapters/postgres/memories.ts';
import { createTombstoneStore } from '../../adapters/postgres/memory-tombstones.ts';
import { createTokenStore } from '../../adapters/postgres/tokens.ts';
import { memoryPoints } from '../../adapters/qdrant/memory-points.ts';
import { chunkWeights } from '../../domain/lexical/weights.ts';
import { createRestoreBench, type RestoreBench } from '../support/restore-bench.ts';

jest.setTimeout(300_000);

let bench: RestoreBench;
beforeAll(async () => {
  bench = await createRestoreBench();
  bench.startWorker();
});
afterAll(() => bench.close());

async function remember(text: string): Promise<string> {
  const id = randomUUID();
  const told = { project: null, text, confidence: 1, supersedes: null, expires_at: null };
  const memory = { id, type: 'episodic' as const, provenance: { kind: 'drill' as const }, ...told };
  await createMemoryStore(bench.databases.data).create(memory, chunkWeights(text), 'tester');
  return id;
}

async function pointsOfMemories(): Promise<string[]> {
  const collection = await memoryCollection(bench.databases.data);
  const ids: string[] = [];
  for await (const { id } of memoryPoints(bench.qdrant, collection?.name ?? '')) ids.push(id);
  return ids.sort();
}

test('B4 B6 G4 G12 a wave is caught in its middle by a restore; what was decided since the point stays decided', async () => {
  const { ops, data } = bench.databases;
  const tokens = createTokenStore(ops);
  const { row: token, token: secret } = await tokens.create({ actor: 'agent', role: 'agent' });
  await tokens.create({ actor: 'admin', role: 'admin' });
  await ops`insert into releases (service, release_id, digest, config_hash, standing) values ('web', 'r1', 'd', 'c', 'good')`;
  const [stays, forgotten] = [await remember('the drain is blocked'), await remember('to be forgotten')];
  const restored = await bench.change({ 'kept.md': '# Kept\n\nwords\n' }, 'before');
  const stamp = await bench.point();

  // Since the point.
  expect(await tokens.revoke(token.id)).toBe('revoked');
  await ops`update releases set standing = 'known_bad' where release_id = 'r1'`;
  await createTombstoneStore(ops).put({
    memory: forgotten,
    project: null,
    type: 'episodic',
    actor: 'tester',
    reason: null,
  });
  await createMemoryStore(data).forget(forgotten, 'tester');
  const since = await remember('written since the point');
  for (let at = 0; at < 300; at += 1) bench.write(`many/page-${at}.md`, `# Page ${at}\n\nwords of page ${at}\n`);
  const wave = await bench.start();
  while (!['stage', 'write'].includes((await bench.waves.find(wave))?.phase ?? ''))
    await new Promise((resolve) => setTimeout(resolve, 20));

  const id = await bench.restore(stamp, { hold_ms: 0, pre_snapshot: true });
  expect((await bench.until(id, 'closed')).result).toMatchObject({ outcome: 'released', failure_reason: null });
  const caught = await bench.follow(wave);
  expect(['cancelled', 'discarded']).toContain(caught.result.outcome);
  expect(await bench.side()).toEqual(restored);

  expect(await tokens.authenticate(secret)).toBeNull();
  expect(await ops`select standing from releases`).toEqual([{ standing: 'known_bad' }]);
  expect((await data<{ id: string }[]>`select id from memories`).map((row) => row.id)).toEqual([stays]);
  expect(await pointsOfMemories()).toEqual([stays]);
  expect(since).not.toBe(stays);
  expect(await bench.scratch()).toEqual([]);

  // What the wave wanted is brought in by the next one, on the restored side.
  expect((await bench.run()).result).toMatchObject({ outcome: 'committed' });
  expect(await bench.run()).toMatchObject({ result: { outcome: 'nothing_to_do' } });

  // The catalog is the manifests: a worker that starts reads it.
  await bench.killWorker();
  await ops`delete from recovery_points`;
  bench.startWorker();
  const known = () =>
    ops<{ place: string }[]>`select place from recovery_points where stamp = ${stamp} and proved ? 'L2'`;
  for (const until = Date.now() + 60_000; (await known()).length === 0 && Date.now() < until;)
    await new Promise((resolve) => setTimeout(resolve, 50));
  expect(await known()).toEqual([{ place: 'kept' }]);
});
