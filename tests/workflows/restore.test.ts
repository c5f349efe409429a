import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { inPhase, recordedRestore, runRestore, type RecordedRestore } from '../support/recorded-restore.ts';

jest.setTimeout(120_000);

const permanent = (type: string) => ApplicationFailure.nonRetryable('as the test says', type);
const cannotDrop = { dropRestored: () => Promise.reject(permanent('SwapRefused')) };
const bad = async () => ({ ok: false, reason: 'as the test says', detail: {} });
/** While it is held, or dropped, the point stays in use: its manifest says where both sides of the files are. */
const letGo = 'unlock:but:point/20261122T020000Z-0001';
/** The safety point is for as long as the restore is not over; then retention decides on it. */
const unpinned = 'unpin:20261122T030000Z-00ff';
const phasesOf = ({ records }: RecordedRestore) =>
  records.map(({ phase }) => phase).filter((phase, at, all) => phase !== all[at - 1]);
/** What everybody sees is one side, and both of it are the same one. */
function expectLive({ world }: RecordedRestore, side: 'old' | 'restored'): void {
  expect([world.database, world.files, world.there.has(side)]).toEqual([side, side, true]);
}

describe('the restore state machine', () => {
  test('B6 preflight, safety point, beside, compared, swapped, proved, held, released: each recorded before its step', async () => {
    const recorded = recordedRestore();
    const result = await runRestore(recorded, { hold_ms: 0 });
    expect(result).toMatchObject({ outcome: 'released', live: 'restored', safety_stamp: '20261122T030000Z-00ff' });
    expect(phasesOf(recorded)).toEqual([
      ...['preflight', 'lock', 'safety_point', 'beside', 'compare', 'swap', 'health', 'held', 'release', 'closed'],
    ]);
    expect(recorded.calls).toEqual([
      ...['open', 'lock:point/20261122T020000Z-0001:shared', 'lock:data.next:exclusive'],
      ...['lock:data:exclusive', 'lock:service/web:exclusive', 'safety', 'unlock'],
      ...['database', 'collections', 'files', 'ready', 'replace', 'swap', 'take_over'],
      ...[letGo, 'wake', 'drop:old', 'unlock', 'wake', unpinned, 'closed:released'],
    ]);
    expect(result.timings_ms).toMatchObject({ restore_database: 3, swap_database: 7 });
    expectLive(recorded, 'restored');
  });

  test('B6 undone while it is held: everything is on the old side again, and what was restored is gone', async () => {
    const recorded = recordedRestore();
    const result = await runRestore(recorded, {}, async (say) => {
      await inPhase(recorded, 'held');
      expectLive(recorded, 'restored');
      // Reads and writes go on while it is held.
      expect(recorded.world.data).toBe(false);
      await expect(say('cancel')).rejects.toThrow();
      await expect(say('undo', '00000000-0000-4000-8000-000000000000')).rejects.toThrow();
      await say('undo');
    });
    expect(result).toMatchObject({ outcome: 'undone', live: 'old' });
    expectLive(recorded, 'old');
    expect([...recorded.world.there]).toEqual(['old']);
    const undone = recorded.calls.slice(recorded.calls.indexOf('swap_back'));
    expect(undone).toEqual([
      ...[
        'swap_back',
        'undo_files',
        'take_over',
        letGo,
        'wake',
        'drop:restored',
        'unlock',
        'wake',
        unpinned,
        'closed:undone',
      ],
    ]);
  });

  test('B6 an undo waits until the services that use the files are stopped; until then it stays held', async () => {
    let looks = 0;
    const recorded = recordedRestore({
      servicesStopped: async () => ({ ok: (looks += 1) !== 2, reason: 'web runs', detail: {} }),
    });
    const result = await runRestore(recorded, {}, async (say) => {
      await inPhase(recorded, 'held');
      await say('undo');
      await inPhase(recorded, 'held', 2);
      expectLive(recorded, 'restored');
      await say('undo');
    });
    expect(result.outcome).toBe('undone');
    expectLive(recorded, 'old');
  });

  test('B6 an undo that cannot have the data changes nothing: it stays held, and the next one goes through', async () => {
    let settles = 0;
    const recorded: RecordedRestore = recordedRestore({
      settleWriters: async () => {
        if ((settles += 1) === 2) throw permanent('LockLost');
        return { ok: true, reason: 'nobody writes', detail: {} };
      },
    });
    const result = await runRestore(recorded, {}, async (say) => {
      await inPhase(recorded, 'held');
      await say('undo');
      await inPhase(recorded, 'held', 2);
      expectLive(recorded, 'restored');
      expect([recorded.world.data, recorded.world.there.has('old')]).toEqual([false, true]);
      await say('undo');
    });
    expect(result).toMatchObject({ outcome: 'undone', live: 'old' });
    expectLive(recorded, 'old');
  });

  test.each([
    ['preflight', { preflight: () => Promise.reject(permanent('PointUnknown')) }],
    [
      'a check of preflight',
      {
        preflight: async () => ({
          checks: [{ check: 'room', ok: false, reason: 'full', detail: {} }],
          sets: [],
          degraded: [],
        }),
      },
    ],
    ['the safety point', { copyPoint: () => Promise.reject(permanent('NoRoom')) }],
  ])('B6 %s fails: refused, and nothing is restored', async (_, overrides) => {
    const recorded = recordedRestore(overrides);
    const result = await runRestore(recorded);
    expect(result).toMatchObject({ outcome: 'refused', live: 'old' });
    expect(recorded.calls).not.toContain('database');
    expect(recorded.calls.slice(-3)).toEqual(['unlock', 'wake', 'closed:refused']);
  });

  test('B6 without a safety point where that was asked for', async () => {
    const recorded = recordedRestore();
    expect(await runRestore(recorded, { pre_snapshot: false, hold_ms: 0 })).toMatchObject({ safety_stamp: null });
    expect(recorded.calls).not.toContain('safety');
  });

  test.each([
    ['the database', { restoreDatabase: () => Promise.reject(permanent('RestoreRefused')) }],
    ['the files', { unpackFiles: () => Promise.reject(permanent('NoRoom')) }],
    ['L2', { compare: bad }],
    ['what makes it ready', { makeReady: () => Promise.reject(permanent('SwapRefused')) }],
  ])('B6 %s fails beside: what was restored is dropped, and live data were never touched', async (_, overrides) => {
    const recorded = recordedRestore(overrides);
    const result = await runRestore(recorded);
    expect(result).toMatchObject({ outcome: 'failed', live: 'old' });
    for (const never of ['replace', 'swap', 'swap_back', 'undo_files']) expect(recorded.calls).not.toContain(never);
    // Nobody waits for what is dropped.
    expect(recorded.calls.slice(-6)).toEqual([letGo, 'drop:restored', 'unlock', 'wake', unpinned, 'closed:failed']);
    expectLive(recorded, 'old');
  });

  test.each([
    ['services that run', { servicesStopped: bad }],
    ['the lock that was lost', { swapDatabase: () => Promise.reject(permanent('LockLost')) }],
    ['the swap', { swapDatabase: () => Promise.reject(permanent('SwapRefused')) }],
    ['files in use', { replaceFiles: () => Promise.reject(permanent('FilesInUse')) }],
  ])('B6 %s: put back, all of it', async (_, overrides) => {
    const recorded: RecordedRestore = recordedRestore(overrides);
    const result = await runRestore(recorded);
    expect(result).toMatchObject({ outcome: 'put_back', live: 'old' });
    expectLive(recorded, 'old');
    expect(recorded.calls).toContain('drop:restored');
  });

  test('B6 what is not well after the swap is put back by itself', async () => {
    let looks = 0;
    const recorded = recordedRestore({ health: async () => ({ ok: (looks += 1) > 1, reason: 'silent', detail: {} }) });
    const result = await runRestore(recorded);
    expect(result).toMatchObject({
      outcome: 'put_back',
      live: 'old',
      failure_reason: expect.stringContaining('silent') as string,
    });
    expectLive(recorded, 'old');
    expect([...recorded.world.there]).toEqual(['old']);
  });

  test.each([
    ['where neither side is well', { health: bad }],
    ['where tombstones cannot be applied to either', { takeOver: () => Promise.reject(permanent('VectorMissing')) }],
  ])('B6 %s nothing is deleted', async (_, overrides) => {
    const recorded = recordedRestore(overrides);
    const result = await runRestore(recorded);
    expect(result).toMatchObject({ outcome: 'stuck' });
    expect([...recorded.world.there].sort()).toEqual(['old', 'restored']);
    expect(recorded.calls.filter((call) => call.startsWith('drop'))).toEqual([]);
    // A person has to look, and may need it.
    expect(recorded.calls).not.toContain(unpinned);
  });

  test.each([
    ['the old side', { dropOld: () => Promise.reject(permanent('SwapRefused')) }, 'released', 'drop_old'],
    [
      'what was put back from',
      { swapDatabase: () => Promise.reject(permanent('SwapRefused')), ...cannotDrop },
      'put_back',
      'drop_restored',
    ],
    ['what failed beside', { compare: bad, ...cannotDrop }, 'failed', 'drop_restored'],
  ])('B6 %s cannot be dropped: the restore ends as it would have, and says what is left', async (...row) => {
    const [, overrides, outcome, check] = row;
    const recorded = recordedRestore(overrides);
    expect(await runRestore(recorded, { hold_ms: 0 })).toMatchObject({ outcome });
    expect(recorded.calls.at(-1)).toBe(`closed:${outcome}`);
    const left = recorded.records.flatMap(({ evidence }) => evidence).filter((each) => each.check === check);
    expect(left).toMatchObject([{ ok: false, reason: expect.stringContaining('until the next restore') as string }]);
  });

  test('B6 cancelled while it restores beside: over first, then dropped', async () => {
    let underWay = false;
    const recorded: RecordedRestore = recordedRestore({
      restoreCollections: async () => {
        underWay = true;
        const beat = setInterval(() => Context.current().heartbeat(), 100);
        return Context.current()
          .cancelled.finally(() => {
            clearInterval(beat);
            underWay = false;
          })
          .then(() => ({ ms: 0, rebuilt: [] }));
      },
      dropRestored: async (ref) => {
        expect(underWay).toBe(false);
        return recorded.usual.dropRestored(ref);
      },
    });
    const result = await runRestore(recorded, {}, async (say) => {
      await inPhase(recorded, 'beside');
      while (!underWay) await new Promise((resolve) => setTimeout(resolve, 20));
      await expect(say('release')).rejects.toThrow();
      await say('cancel');
    });
    expect(result).toMatchObject({ outcome: 'cancelled', live: 'old' });
    expectLive(recorded, 'old');
  });

  test('B6 a step that dies and comes again is done once more, and swaps once', async () => {
    let swaps = 0;
    const recorded: RecordedRestore = recordedRestore({
      swapDatabase: async (ref) => {
        const done = await recorded.usual.swapDatabase(ref);
        if ((swaps += 1) === 1) throw new Error('the worker is gone');
        return done;
      },
    });
    expect(await runRestore(recorded, { hold_ms: 0 })).toMatchObject({ outcome: 'released' });
    expect(swaps).toBe(2);
    expectLive(recorded, 'restored');
  });
});
