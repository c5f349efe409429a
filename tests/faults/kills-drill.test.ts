import { findLabelled } from '../../adapters/process/identity.ts';
import { createDrillBench, type DrillBench } from '../support/drill-bench.ts';
import { killPlans, type SideEffect } from './kill-plans.ts';

jest.setTimeout(600_000);

/** Everything that a drill in scratch does, in the order in which it does it. */
const steps: readonly SideEffect[] = [
  ['openDrill', 1],
  ['pickDrillPoint', 1],
  ['takeLocks', 1],
  ['bringDrillPoint', 1],
  ['drillBytes', 1],
  ['drillStructure', 1],
  ['rehearseDrill', 1],
  ['bootDrill', 1],
  ['tidyDrill', 1],
];

describe('SIGKILL of the worker in a drill', () => {
  let bench: DrillBench;
  let stamp: string;
  beforeAll(async () => {
    bench = await createDrillBench();
    stamp = await bench.world.publishedPoint();
  });
  afterAll(() => bench.close());

  test.each(killPlans(steps, 2))('B9 %s: it passes all the same, and nothing of scratch is left', async (_, faults) => {
    const deaths = await bench.dieAt(faults, async () => {
      const drill = await bench.run();
      expect(drill.result).toMatchObject({ outcome: 'passed', failure_reason: null, stamp });
      expect(drill.evidence.map(({ check }) => check)).toEqual(['fetch', 'L0', 'L1', 'L2', 'L3']);
    });
    expect(deaths.length).toBe(faults.length);
    expect(await bench.left()).toEqual([]);
  });

  test('B9 killed while the app is up on the copy: that app is ended, and another one answers', async () => {
    bench.startWorker();
    const id = await bench.start();
    const apps = () => findLabelled({ HOLDFAST_DRILL: id });
    for (const end = Date.now() + 120_000; apps().length === 0 && Date.now() < end;)
      await new Promise((resolve) => setTimeout(resolve, 20));
    await bench.killWorker();
    // It was started by the worker, and is nobody's now.
    expect(apps()).toHaveLength(1);
    bench.startWorker();
    expect((await bench.follow(id)).result).toMatchObject({ outcome: 'passed', failure_reason: null, stamp });
    expect(await bench.left()).toEqual([]);
  });
});
