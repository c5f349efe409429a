import { randomUUID } from 'node:crypto';
import { killPlans, type SideEffect } from './kill-plans.ts';
import { createRestoreBench, type RestoreBench, type Side } from '../support/restore-bench.ts';

jest.setTimeout(900_000);

/** Everything that a restore changes until it is held, in the order in which it does. */
const there: readonly SideEffect[] = [
  ['openRestore', 1],
  ['preflight', 1],
  ['takeLocks', 2],
  ['settleWriters', 1],
  ['restoreDatabase', 1],
  ['restoreCollections', 1],
  ['unpackFiles', 1],
  ['unpackFiles', 2],
  ['compare', 1],
  ['makeReady', 1],
  ['servicesStopped', 1],
  ['replaceFiles', 1],
  ['replaceFiles', 2],
  ['swapDatabase', 1],
  ['takeOver', 1],
  ['health', 1],
  ['releaseLocks', 1],
];
/** And either way out of it; of the undo as counted from its beginning. */
const letGo: readonly SideEffect[] = [
  ['dropOld', 1],
  ['releaseLocks', 2],
  ['wakeAfterRestore', 2],
];
const back: readonly SideEffect[] = [
  ['takeLocks', 2],
  ['settleWriters', 1],
  ['servicesStopped', 1],
  ['swapBack', 1],
  ['undoFiles', 1],
  ['undoFiles', 2],
  ['takeOver', 1],
  ['health', 1],
  ['releaseLocks', 1],
  ['dropRestored', 1],
  ['releaseLocks', 2],
];

let bench: RestoreBench;
let stamp: string;
let [old, restored]: [Side, Side] = [
  { hash: '', files: '' },
  { hash: '', files: '' },
];

beforeAll(async () => {
  bench = await createRestoreBench();
  bench.startWorker();
  restored = await bench.change(
    { 'kept.md': '# Kept\n\nwords of both\n', 'gone.md': '# Gone\n\nonly before\n' },
    'before',
  );
  stamp = await bench.point();
  bench.remove('gone.md');
});
afterAll(() => bench.close());
/** Whatever was left by the restore before: something else than what is restored. */
beforeEach(async () => {
  old = await bench.change({ 'since.md': `# Since\n\nwritten since the point: ${randomUUID()}\n` }, 'after');
});

/** One side or the other, and nothing of both. */
async function expectOneSide(): Promise<void> {
  expect([old.hash, restored.hash]).toContain(await bench.hash());
}

/** Each step told its end once, and nothing of a restore is left but the side that is live. */
async function expectOver(id: string, outcome: string): Promise<void> {
  expect((await bench.restores.find(id))?.result).toMatchObject({ outcome, failure_reason: null });
  const events = await bench.databases.ops<
    { type: string }[]
  >`select type from events where restore_id = ${id} order by type`;
  expect(events.map(({ type }) => type)).toEqual(['restore.completed', 'restore.started']);
  expect(await bench.scratch()).toEqual([]);
}

describe('SIGKILL of the worker in a restore', () => {
  test.each(killPlans([...there, ...letGo], 1))(
    'B6 B7 %s: live is one side, whole; it is held, then let go',
    async (_name, faults) => {
      let id = '';
      const deaths = await bench.dieAt(faults, async () => {
        id = await bench.restore(stamp);
        expect((await bench.until(id, 'held', expectOneSide)).phase).toBe('held');
        expect(await bench.side()).toEqual(restored);
        await bench.say(id, 'release');
        await bench.until(id, 'closed', expectOneSide);
      });
      expect(deaths.map(({ activity, when }) => `${activity} ${when}`).sort()).toEqual(
        faults.map(({ activity, nth, when }) => `${activity}#${nth} ${when}`).sort(),
      );
      expect(await bench.side()).toEqual(restored);
      await expectOver(id, 'released');
    },
  );

  test.each(killPlans(back, 1))('B6 B7 %s of an undo: everything is as it was', async (_name, faults) => {
    const id = await bench.restore(stamp);
    expect((await bench.until(id, 'held')).phase).toBe('held');
    const deaths = await bench.dieAt(faults, async () => {
      await bench.say(id, 'undo');
      await bench.until(id, 'closed', expectOneSide);
    });
    expect(deaths.length).toBe(faults.length);
    expect(await bench.side()).toEqual(old);
    await expectOver(id, 'undone');
  });
});
