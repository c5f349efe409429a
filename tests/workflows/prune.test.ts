import { recordedBackup, runPipeline, type RecordedBackup } from '../support/recorded-backup.ts';

jest.setTimeout(120_000);

const [old, older, newest] = ['20261101T020000Z-0001', '20261001T020000Z-0002', '20261122T020000Z-0003'];
const plan = {
  keep: [{ stamp: newest, why: 'newest proven' }],
  drop: [old, older].map((stamp) => ({ stamp, why: 'no rule keeps it' })),
  blocked: null,
  targets: [],
};
const request = { dry_run: false };

test('B4 what no rule keeps goes to the trash, and from the trash after its grace, each under its lock', async () => {
  const recorded = recordedBackup({ planPrune: async () => plan, purgeable: async () => ['20260901T020000Z-0004'] });
  const result = await runPipeline('prune', recorded, { request });
  expect(result).toMatchObject({ outcome: 'pruned', trashed: [old, older], purged: ['20260901T020000Z-0004'], plan });
  expect(recorded.calls.filter((call) => !call.startsWith('open'))).toEqual([
    ...[old, older].flatMap((stamp) => [`lock:point/${stamp}:exclusive`, `trash:${stamp}`, 'unlock']),
    ...['lock:point/20260901T020000Z-0004:exclusive', 'purge:20260901T020000Z-0004', 'unlock'],
    ...['told', 'unlock', 'closed:pruned'],
  ]);
});

test('B4 a dry run says what would go, and takes nothing', async () => {
  const recorded = recordedBackup({ planPrune: async () => plan });
  expect(await runPipeline('prune', recorded, { request: { dry_run: true } })).toMatchObject({
    outcome: 'planned',
    plan,
  });
  expect(recorded.calls.filter((call) => /^(trash|purge|lock|told)/.test(call))).toEqual([]);
});

test('B4 a suspect clock or listing blocks it: nothing is taken away, not even from the trash', async () => {
  const blocked = { ...plan, blocked: 'the newest point is of tomorrow' };
  const recorded = recordedBackup({ planPrune: async () => blocked, purgeable: async () => [old] });
  expect(await runPipeline('prune', recorded, { request })).toMatchObject({
    ...{ outcome: 'blocked', failure_reason: 'the newest point is of tomorrow', trashed: [], purged: [] },
  });
  expect(recorded.calls.filter((call) => /^(trash|purge|lock)/.test(call))).toEqual([]);
});

test('B4 a point that somebody uses stays, and the others go', async () => {
  const recorded: RecordedBackup = recordedBackup({
    planPrune: async () => plan,
    takeLocks: async (wishes, run) => {
      if (wishes[0]?.resource === `point/${old}`) throw new Error('point/… is held by restore');
      return recorded.usual.takeLocks(wishes, run);
    },
  });
  const result = await runPipeline('prune', recorded, { request });
  expect(result).toMatchObject({ outcome: 'pruned', trashed: [older] });
  const checks = recorded.records.flatMap(({ evidence }) => evidence.map(({ check }) => check));
  expect(checks).toContain(`use.${old}`);
});

test('B4 each is decided on again: one that is kept by now stays, and it is said', async () => {
  const recorded: RecordedBackup = recordedBackup({
    planPrune: async () => plan,
    trashPoint: async (stamp, asked) =>
      stamp === old ? { ok: false, reason: 'it is pinned by now' } : recorded.usual.trashPoint(stamp, asked),
  });
  expect(await runPipeline('prune', recorded, { request })).toMatchObject({ outcome: 'pruned', trashed: [older] });
});

test('B4 nothing to take away is no failure', async () => {
  expect(await runPipeline('prune', recordedBackup(), { request })).toMatchObject({ outcome: 'nothing_to_do' });
});
