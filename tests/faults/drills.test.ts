import { randomUUID } from 'node:crypto';
import { mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { createMemories } from '../../adapters/memories/memories.ts';
import { readLocalPoint } from '../../adapters/offsite/local-point.ts';
import { openTarget } from '../../adapters/offsite/open-target.ts';
import { createOffsiteStore } from '../../adapters/postgres/offsite.ts';
import { createRecoveryState } from '../../adapters/postgres/recovery-state.ts';
import { recoveryFigures } from '../../api/recovery-metrics.ts';
import { targetSpecSchema } from '../../domain/offsite/spec.ts';
import { createDrillBench, type DrillBench } from '../support/drill-bench.ts';
import { fullSize } from '../support/proof-size.ts';
import { newMemory } from '../adapters/memories/memory-world.ts';

jest.setTimeout(300_000);

// Row B9 with the real worker, its real activities and the real app: nothing here is played.
let bench: DrillBench;
let stamp: string;
beforeAll(async () => {
  bench = await createDrillBench();
  await createMemories(bench.memories).create(newMemory({ text: 'a purple walrus', type: 'episodic' }), 'tester');
  stamp = await bench.world.publishedPoint();
  bench.startWorker();
});
afterAll(() => bench.close());

const checks = (drill: Awaited<ReturnType<DrillBench['run']>>) => drill.evidence.map(({ check, ok }) => [check, ok]);

/** What a monitor reads. */
async function figure(name: string): Promise<Record<string, number>> {
  const state = await createRecoveryState(bench.databases.ops)();
  const values = recoveryFigures.find((each) => each.name === name)?.of(state, new Date()) ?? [];
  return Object.fromEntries(values.map(({ labels, value }) => [Object.values(labels).join(' '), value]));
}

test('B9 scratch: L0 to L3 pass, RTO by phase and RPO are recorded and shown, nothing is left', async () => {
  const drill = await bench.run();
  expect(drill.result).toMatchObject({ outcome: 'passed', failure_reason: null, stamp, target: null });
  expect(checks(drill)).toEqual(['fetch', 'L0', 'L1', 'L2', 'L3'].map((check) => [check, true]));
  const { total = 0, ...phases } = drill.result.rto_ms;
  expect(Object.keys(phases).sort()).toEqual(['boot', 'bytes', 'compare', 'fetch', 'restore', 'structure']);
  expect([total > 0, Object.values(phases).reduce((sum, ms) => sum + ms, 0)]).toEqual([true, total]);
  expect(drill.result.rpo_seconds).toBeGreaterThanOrEqual(0);
  expect(await bench.left()).toEqual([]);
  expect((await bench.world.recoveryPoints.find(stamp))?.proved).toHaveProperty('L3');
  expect(await figure('holdfast_drill_failed')).toMatchObject({ scratch: 0 });
  expect(await figure('holdfast_drill_rto_seconds')).toMatchObject({ 'scratch total': total / 1_000 });
});

test('B9 --damaged: the drill fails where it must, says so, and that is the good end', async () => {
  const drill = await bench.run({ damaged: true });
  expect(drill.result).toMatchObject({
    outcome: 'damage_found',
    failure_reason: expect.stringMatching(/^L[02]: /) as string,
  });
  expect(checks(drill)).toEqual(expect.arrayContaining([['damage', true]]));
  expect(drill.evidence.at(-1)?.ok).toBe(false);
  expect(await bench.left()).toEqual([]);
  expect(await figure('holdfast_drill_failed')).toMatchObject({ damaged: 0 });
});

test('B9 --from offsite: with nothing of the point on this box, it is read back from the other place and passes', async () => {
  const { databases, home, world } = bench;
  const path = join(home, 'other-disk');
  mkdirSync(path);
  const target = { id: randomUUID(), spec: targetSpecSchema.parse({ kind: 'directory', path }) };
  await createOffsiteStore(databases.ops).put({
    ...{ ...target, name: 'nas', box: 'bench', enabled: true, retention: 'same', actor: 'tester' },
  });
  const folder = world.points.folderOf(stamp, 'kept');
  const { signal } = new AbortController();
  const opened = await openTarget(target, { env: process.env, scratch: join(home, 'target'), signal });
  await opened.prepare();
  await opened.put(await readLocalPoint(folder));
  await opened.close();

  renameSync(folder, join(home, 'hidden'));
  const drill = await bench.run({ from: 'offsite' });
  expect(drill.result).toMatchObject({ outcome: 'passed', failure_reason: null, stamp, target: 'nas' });
  expect(await bench.left()).toEqual([]);
  expect((await bench.run({})).result).toMatchObject({ outcome: 'refused' });
  renameSync(join(home, 'hidden'), folder);
});

test('B9 live: what was written after the backup is gone after the restore, what was there before is not', async () => {
  const { memories, databases } = bench;
  const before = newMemory({ text: 'written before the drill', type: 'episodic' });
  await createMemories(memories).create(before, 'tester');
  const drill = await bench.run({ level: 'live', confirm_live: true });
  expect(drill.result).toMatchObject({ outcome: 'passed', failure_reason: null });
  expect(checks(drill)).toEqual(['backup', 'marker.written', 'restore', 'marker.gone'].map((check) => [check, true]));
  expect(drill.result.stamp).not.toBe(stamp);
  const rows = await databases.data<
    { id: string }[]
  >`select id from memories where id in ${databases.data([before.id, drill.result.marker ?? ''])}`;
  expect(rows.map(({ id }) => id)).toEqual([before.id]);
  const { restore = 0, ...others } = drill.result.rto_ms;
  expect([Object.keys(others).length > 1, restore >= 0]).toEqual([true, true]);
  expect(await bench.left()).toEqual([]);
});

test('B9 live: the worker dies after the marker was written (and in the last look): one marker, gone all the same', async () => {
  const faults = [
    { activity: 'markLive', nth: 1, when: 'after' },
    ...(fullSize ? [{ activity: 'lookLive', nth: 1, when: 'before' } as const] : []),
  ] as const;
  const deaths = await bench.dieAt(faults, async () => {
    expect((await bench.run({ level: 'live', confirm_live: true })).result).toMatchObject({ outcome: 'passed' });
  });
  expect(deaths.length).toBe(faults.length);
  const markers = await bench.databases.data`select 1 from memories where provenance ->> 'kind' = 'drill'`;
  expect(markers).toHaveLength(0);
  expect(await bench.left()).toEqual([]);
});
