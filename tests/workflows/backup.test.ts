import { ApplicationFailure } from '@temporalio/common';
import { Context } from '@temporalio/activity';
import { firstStamp, recordedBackup, runPipeline, type RecordedBackup } from '../support/recorded-backup.ts';

jest.setTimeout(120_000);

const request = { include_vectors: true };
const permanent = (type: string) => ApplicationFailure.nonRetryable('as the test says', type);
const unproved = { ok: false, reason: 'table.rows: public.chunks', detail: {}, at: '2026-11-22T02:00:01.000Z', ms: 1 };

const letGo = ['unpin:backup', 'unlock'];

describe('the backup state machine', () => {
  test('B1 B3 copied, proved by L0, L1 and L2 and only then published; each phase is recorded before its step', async () => {
    const recorded = recordedBackup();
    const result = await runPipeline('backup', recorded, { request });
    expect(result).toMatchObject({ outcome: 'published', proved: ['L0', 'L1', 'L2'], stored_bytes: 10 });
    const phases = recorded.records.map(({ phase }) => phase);
    expect(phases.filter((phase, at) => phase !== phases[at - 1])).toEqual([
      ...['lock', 'space', 'copy', 'prove', 'publish', 'closed'],
    ]);
    expect(recorded.calls).toEqual([
      ...['open:create', 'lock:data:shared', 'copy'],
      ...['L0', 'L1', 'L2'].map((level) => `prove:${level}:${firstStamp}`),
      ...['publish', 'unpin:backup', 'unlock', 'told', 'closed:published'],
    ]);
    expect(recorded.records.at(-1)).toMatchObject({ stamp: firstStamp });
  });

  test.each(['L0', 'L1', 'L2'] as const)(
    'B3 what %s does not prove is never published, and its pins go',
    async (bad) => {
      const recorded: RecordedBackup = recordedBackup({
        provePoint: async (ref, stamp, level) =>
          level === bad ? unproved : recorded.usual.provePoint(ref, stamp, level),
      });
      const result = await runPipeline('backup', recorded, { request });
      expect(result).toMatchObject({ outcome: 'failed', failure_reason: 'PointUnproved: table.rows: public.chunks' });
      expect(recorded.calls).not.toContain('publish');
      // A box that is away keeps what it has, and nobody waiting.
      expect(recorded.calls.slice(-6)).toEqual([...letGo, 'discard', ...letGo, 'closed:failed']);
    },
  );

  test('B1 no room: refused before anything is copied', async () => {
    const full = async () => ({
      ...(await recordedBackup().usual.checkRoom(request)),
      ok: false,
      reason: 'too little',
    });
    const recorded = recordedBackup({ checkRoom: full });
    const result = await runPipeline('backup', recorded, { request });
    expect(result).toMatchObject({ outcome: 'refused', failure_reason: 'NoRoom: too little' });
    expect(recorded.calls).toEqual(['open:create', 'lock:data:shared', 'unpin:backup', 'unlock', 'closed:refused']);
  });

  test('B1 a disk that fills up while it copies: discarded', async () => {
    const recorded = recordedBackup({ copyPoint: () => Promise.reject(permanent('NoRoom')) });
    const result = await runPipeline('backup', recorded, { request });
    expect(result).toMatchObject({ outcome: 'failed', failure_reason: expect.stringContaining('NoRoom') as string });
    expect(recorded.calls).toContain('discard');
  });

  test('B1 a box that is gone for good: the run says how it ended all the same', async () => {
    const recorded = recordedBackup({
      copyPoint: () => Promise.reject(permanent('NoRoom')),
      discardPoint: () => Promise.reject(permanent('GuardRefused')),
    });
    const result = await runPipeline('backup', recorded, { request });
    expect(result).toMatchObject({ outcome: 'failed', failure_reason: expect.stringContaining('NoRoom') as string });
    expect(recorded.calls.slice(-3)).toEqual([...letGo, 'closed:failed']);
  });

  test('G7 an attempt of the copy that is lost begins again from nothing', async () => {
    const recorded: RecordedBackup = recordedBackup({
      copyPoint: async (ref, asked) => {
        const copied = await recorded.usual.copyPoint(ref, asked);
        if (recorded.copies() === 1) throw new Error('the worker is gone');
        return copied;
      },
    });
    expect(await runPipeline('backup', recorded, { request })).toMatchObject({ outcome: 'published' });
    expect(recorded.published()).toBe('20261122T020000Z-0002');
  });

  test('B2 what fails behind the rename is a point all the same', async () => {
    const recorded: RecordedBackup = recordedBackup({
      publishPoint: async (...args) => {
        await recorded.usual.publishPoint(...args);
        throw permanent('LockLost');
      },
    });
    expect(await runPipeline('backup', recorded, { request })).toMatchObject({ outcome: 'published' });
    expect(recorded.calls).toContain('told');
  });

  test('B1 cancelled while it copies: what is under way ends first, then it is discarded', async () => {
    let underWay = false;
    const recorded: RecordedBackup = recordedBackup({
      copyPoint: async () => {
        underWay = true;
        const beat = setInterval(() => Context.current().heartbeat(), 100);
        return Context.current().cancelled.finally(() => {
          clearInterval(beat);
          underWay = false;
        });
      },
      discardPoint: async (id) => {
        expect(underWay).toBe(false);
        return recorded.usual.discardPoint(id);
      },
    });
    const result = await runPipeline('backup', recorded, { request }, async (handle) => {
      while (!underWay) await new Promise((resolve) => setTimeout(resolve, 20));
      await handle.cancel();
    });
    expect(result).toMatchObject({ outcome: 'cancelled' });
    expect(recorded.calls.slice(-6)).toEqual([...letGo, 'discard', ...letGo, 'closed:cancelled']);
  });

  test("B6 a restore's safety point is made under the restore's own lock, and pinned", async () => {
    const pins: (string | null)[] = [];
    const recorded: RecordedBackup = recordedBackup({
      publishPoint: async (ref, stamp, proof, pin) => {
        pins.push(pin?.reason ?? null, pin?.actor ?? null, ref.lock_token);
        await recorded.usual.publishPoint(ref, stamp, proof, pin);
      },
    });
    const input = { request: { ...request, pin: 'safety point' }, within: { lock_token: '77' } };
    expect(await runPipeline('backup', recorded, input)).toMatchObject({ outcome: 'published' });
    expect(pins).toEqual(['safety point', 'tester', '77']);
    expect(recorded.calls.filter((call) => call.startsWith('lock:'))).toEqual([]);
  });
});

describe('the validation of a point', () => {
  test('B3 level by level up to the one asked for, while its point is in use', async () => {
    const recorded = recordedBackup();
    const result = await runPipeline('validatePoint', recorded, { stamp: firstStamp, request: { level: 'L1' } });
    expect(result).toMatchObject({ outcome: 'valid', proved: ['L0', 'L1'] });
    expect(recorded.calls).toEqual([
      ...['open:validate', `lock:point/${firstStamp}:shared`],
      ...[`validate:L0:${firstStamp}`, `validate:L1:${firstStamp}`, 'unlock', 'closed:valid'],
    ]);
  });

  test('B3 the first level that is not proved ends it', async () => {
    const recorded = recordedBackup({ validatePoint: async () => unproved });
    const result = await runPipeline('validatePoint', recorded, { stamp: firstStamp, request: { level: 'L2' } });
    expect(result).toMatchObject({ outcome: 'invalid', failure_reason: 'table.rows: public.chunks', proved: [] });
  });

  test('B3 a point that could not be looked at is not called bad', async () => {
    const recorded = recordedBackup({ validatePoint: () => Promise.reject(permanent('PointUnknown')) });
    const result = await runPipeline('validatePoint', recorded, { stamp: firstStamp, request: { level: 'L2' } });
    expect(result).toMatchObject({
      outcome: 'failed',
      failure_reason: expect.stringContaining('PointUnknown') as string,
    });
  });
});
