import { retentionPolicySchema } from '../../domain/backup/retention.ts';
import { createBackupBench, type BackupBench } from '../support/backup-bench.ts';
import type { Fault } from '../support/bench-worker.ts';
import { createRandom, fullSize, seed } from '../support/proof-size.ts';
import { killPlans, type SideEffect } from './kill-plans.ts';

jest.setTimeout(600_000);

/** Everything that a backup changes, in the order in which it does. */
const ofBackup: readonly SideEffect[] = [
  ['openBackup', 1],
  ['recordBackup', 1],
  ['takeLocks', 1],
  ['checkRoom', 1],
  ['copyPoint', 1],
  ['provePoint', 1],
  ['provePoint', 2],
  ['provePoint', 3],
  ['publishPoint', 1],
  ['releasePins', 1],
  ['releaseLocks', 1],
  ['wakeTargets', 1],
];
/** The same of a prune with one point to take away. */
const ofPrune: readonly SideEffect[] = [
  ['openBackup', 1],
  ['planPrune', 1],
  ['takeLocks', 1],
  ['trashPoint', 1],
  ['releaseLocks', 1],
  ['purgeable', 1],
  ['takeLocks', 2],
  ['purgePoint', 1],
  ['releaseLocks', 2],
  ['wakeTargets', 1],
];
const request = {
  dry_run: false,
  policy: retentionPolicySchema.parse({
    ...{ last: 2, daily: 0, weekly: 0, monthly: 0, yearly: 0, minimum: 1, trash_grace_ms: 0 },
  }),
};

const random = createRandom();
/** Anywhere in the work of those that take long: in the middle of a dump, a snapshot, a restore. */
const somewhere = (faults: readonly Fault[], withinMs: number): Fault[] =>
  faults.map((fault) =>
    /copy|prove/.test(fault.activity) ? { ...fault, ms: Math.floor(random() * withinMs) } : fault,
  );

let bench: BackupBench;
/** How long a copy takes that nobody disturbs, and its proof, whichever is longer. */
let workMs: number;
let before: string[];

beforeAll(async () => {
  bench = await createBackupBench();
  bench.startWorker();
  const { result } = await bench.backup();
  expect(result.outcome).toBe('published');
  workMs = Math.max(...['copy', 'L2'].map((step) => result.timings_ms[step] ?? 0));
  before = await bench.points.list();
});
afterAll(() => bench.close());

/** A backup whose worker dies there: one more point, which is proved and whole, and nothing else. */
async function expectOnePoint(faults: readonly Fault[]): Promise<void> {
  const deaths = await bench.dieAt(faults, async () => {
    const { result } = await bench.backup();
    expect(result).toMatchObject({ outcome: 'published', proved: ['L0', 'L1', 'L2'], degraded: [] });
  });
  expect(deaths.length).toBe(faults.length);
  const points = await bench.points.list();
  expect(points).toEqual([...before, points.at(-1)]);
  before = points;
  expect(await bench.left()).toEqual([]);
  const rows = await bench.recoveryPoints.list({ limit: 1_000 });
  expect(rows.map(({ stamp }) => stamp).reverse()).toEqual(points);
}

describe('SIGKILL of the worker in a backup', () => {
  test.each(killPlans(ofBackup, 1))('B1 G7 %s: one point, whole, and nothing left behind', async (_, faults) => {
    await expectOnePoint(somewhere(faults, workMs));
  });

  const again = fullSize ? 20 : 1;
  test.each(Array.from({ length: again }, (_, at) => (at % 2 === 0 ? 'copyPoint' : 'provePoint')))(
    `B1 G7 anywhere in %s (seed ${seed}): one point, whole, and nothing left behind`,
    async (activity) => {
      await expectOnePoint(somewhere([{ activity, nth: activity === 'copyPoint' ? 1 : 3, when: 'during' }], workMs));
    },
  );
});

test('B3 what came out of it is proved once more, and nothing is left of that', async () => {
  expect((await bench.validate(before.at(-1) ?? '')).result).toMatchObject({ outcome: 'valid' });
  expect(await bench.left()).toEqual([]);
});

describe('SIGKILL of the worker in a prune', () => {
  test.each(killPlans(ofPrune, 1))('B4 %s: what was to go is gone, everything else is there', async (_, faults) => {
    while (before.length < 3) {
      expect((await bench.backup()).result.outcome).toBe('published');
      before = await bench.points.list();
    }
    // One at a time, so that each of its steps is the first of its name.
    const policy = { ...request.policy, last: before.length - 1 };
    const [gone = '', ...stay] = before;
    const deaths = await bench.dieAt(faults, async () => {
      const { result } = await bench.prune({ ...request, policy });
      expect(result).toMatchObject({ outcome: 'pruned', purged: [gone] });
    });
    expect(deaths.length).toBe(faults.length);
    expect(await bench.points.list()).toEqual(stay);
    expect((await bench.recoveryPoints.find(gone))?.place).toBe('purged');
    expect(await bench.points.trashed()).toEqual([]);
    expect(await bench.left()).toEqual([]);
    before = stay;
  });
});
