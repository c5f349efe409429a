import { ApplicationFailure } from '@temporalio/common';
import { Context } from '@temporalio/activity';
import { look, recordedDrill, runDrill, stamp } from '../support/recorded-drill.ts';

jest.setTimeout(120_000);

const levels = ['L0', 'L1', 'L2', 'L3'];

test('B9 picked, brought, looked at by every level, tidied up; RTO by phase, RPO, each phase recorded before its step', async () => {
  const recorded = recordedDrill();
  const result = await runDrill(recorded);
  expect(result).toEqual({
    ...{ outcome: 'passed', failure_reason: null, stamp, target: null, rpo_seconds: 3_600, marker: null },
    rto_ms: { fetch: 100, bytes: 10, structure: 10, restore: 1_000, compare: 50, boot: 10, total: 1_180 },
  });
  expect(recorded.calls).toEqual([
    ...['open', 'pick', `lock:point/${stamp}:shared`, 'pick', 'bring', ...levels, 'tidy', 'unlock', 'closed:passed'],
  ]);
  const phases = recorded.records.map(({ phase }) => phase);
  expect(phases.filter((phase, at) => phase !== phases[at - 1])).toEqual([
    ...['pick', 'fetch', 'bytes', 'structure', 'restore', 'boot', 'tidy', 'closed'],
  ]);
});

test.each([
  ['L0', 'drillBytes'],
  ['L1', 'drillStructure'],
  ['L3', 'bootDrill'],
] as const)(
  'B9 what fails at %s is a drill that failed: nothing later is looked at, and all of it is tidied up',
  async (level, name) => {
    const recorded = recordedDrill({ [name]: async () => look(level, false, 'not so') });
    const result = await runDrill(recorded);
    expect(result).toMatchObject({ outcome: 'failed', failure_reason: `${level}: not so` });
    expect(recorded.calls).not.toContain(levels[levels.indexOf(level) + 1] ?? 'none');
    expect(recorded.calls.slice(-3)).toEqual(['tidy', 'unlock', 'closed:failed']);
  },
);

test('B9 damaged on purpose: found is as it should be', async () => {
  const recorded = recordedDrill({ drillBytes: async () => look('L0', false, 'another sha256') });
  const result = await runDrill(recorded, { damaged: true });
  expect(result).toMatchObject({ outcome: 'damage_found', failure_reason: 'L0: another sha256' });
  const checks = recorded.records.flatMap(({ evidence }) => evidence.map(({ check }) => check));
  expect(checks).toEqual(['fetch', 'damage', 'L0']);
});

test('B9 damaged on purpose and passed: the drill says so, and it is no pass', async () => {
  const recorded = recordedDrill();
  expect(await runDrill(recorded, { damaged: true })).toMatchObject({ outcome: 'damage_missed' });
  expect(recorded.records.at(-1)?.phase).toBe('closed');
});

test('B9 --from offsite: where it was read back from is said', async () => {
  const result = await runDrill(recordedDrill(), { from: 'offsite' });
  expect(result).toMatchObject({ outcome: 'passed', target: 'nas' });
});

test.each(['PointUnknown', 'KeyMissing'])(
  'B9 %s: refused, which is neither a pass nor a failure of the point',
  async (type) => {
    const refuse = () => Promise.reject(ApplicationFailure.nonRetryable('none', type));
    const recorded = recordedDrill(type === 'KeyMissing' ? { drillStructure: refuse } : { pickDrillPoint: refuse });
    const result = await runDrill(recorded);
    expect(result).toMatchObject({ outcome: 'refused', failure_reason: expect.stringContaining(type) as string });
    expect(recorded.calls.at(-1)).toBe('closed:refused');
  },
);

test('B9 a damaged copy that could not even be looked at was not found: the drill failed', async () => {
  const broken = () => Promise.reject(ApplicationFailure.nonRetryable('disk full', 'NoRoom'));
  const result = await runDrill(recordedDrill({ rehearseDrill: broken }), { damaged: true });
  expect(result).toMatchObject({ outcome: 'failed', failure_reason: expect.stringContaining('NoRoom') as string });
});

test('B9 a point that was pruned before it was held is not the one: the drill is of what is there then', async () => {
  const pruned = '20261121T020000Z-0001';
  let picks = 0;
  const recorded = recordedDrill({
    pickDrillPoint: async () => ({ stamp: (picks += 1) === 1 ? pruned : stamp, target: null }),
  });
  expect(await runDrill(recorded)).toMatchObject({ outcome: 'passed', stamp });
  expect(recorded.calls.filter((call) => call.startsWith('lock'))).toEqual([
    ...[`lock:point/${pruned}:shared`, `lock:point/${stamp}:shared`],
  ]);
});

test('B9 a worker that dies in the restore: it begins again, and is tidied up once', async () => {
  let tries = 0;
  const recorded = recordedDrill({
    rehearseDrill: async () => {
      tries += 1;
      if (tries === 1) throw new Error('the worker is gone');
      return { ...look('L2'), restore_ms: 1, compare_ms: 1 };
    },
  });
  expect(await runDrill(recorded)).toMatchObject({ outcome: 'passed' });
  expect([tries, recorded.calls.filter((call) => call === 'tidy')]).toEqual([2, ['tidy']]);
});

test('B9 cancelled in the restore: what is under way ends first, then it is tidied up', async () => {
  let underWay = false;
  const recorded = recordedDrill({
    rehearseDrill: () => {
      underWay = true;
      const beat = setInterval(() => Context.current().heartbeat(), 100);
      return Context.current().cancelled.finally(() => {
        clearInterval(beat);
        underWay = false;
      });
    },
    tidyDrill: async () => {
      expect(underWay).toBe(false);
      recorded.calls.push('tidy');
    },
  });
  const result = await runDrill(recorded, {}, async (handle) => {
    while (!underWay) await new Promise((resolve) => setTimeout(resolve, 20));
    await handle.cancel();
  });
  expect(result.outcome).toBe('failed');
  expect(recorded.calls.slice(-3)).toEqual(['tidy', 'unlock', 'closed:failed']);
});

test('B9 a live drill that nobody confirmed does nothing, and says which command does', async () => {
  const recorded = recordedDrill();
  const result = await runDrill(recorded, { level: 'live' });
  expect(result).toMatchObject({
    outcome: 'refused',
    failure_reason: expect.stringContaining('--confirm live') as string,
  });
  expect(recorded.calls).toEqual(['open', 'unlock', 'closed:refused']);
});
