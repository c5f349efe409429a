import { ApplicationFailure } from '@temporalio/common';
import { Context } from '@temporalio/activity';
import { againSignal } from '../../domain/wave/run.ts';
import { recordedWave, runWave, type RecordedWave } from '../support/recorded-wave.ts';

jest.setTimeout(120_000);

async function until(seen: () => boolean): Promise<void> {
  for (const end = Date.now() + 30_000; !seen();) {
    if (Date.now() > end) throw new Error('It never came');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const inPhase = (recorded: RecordedWave, phase: string) =>
  until(() => recorded.records.some((entry) => entry.phase === phase));
const permanent = (type: string) => ApplicationFailure.nonRetryable('as the test says', type);
const evidence = ({ records }: RecordedWave) =>
  records.flatMap((entry) => entry.evidence.map(({ check, ok }) => `${check}:${ok}`));

describe('the wave state machine', () => {
  test('W5 W7 prepared, written, proved, committed: each phase is recorded before its step', async () => {
    const recorded = recordedWave();
    const result = await runWave(recorded);
    expect(result).toMatchObject({ outcome: 'committed', number: 7, documents: 3, failed: 0 });
    const phases = recorded.records.map(({ phase }) => phase);
    expect(phases.filter((phase, at) => phase !== phases[at - 1])).toEqual([
      ...['lock', 'list', 'plan', 'stage', 'write', 'prove', 'canary', 'commit', 'closed'],
    ]);
    expect(recorded.calls).toEqual([
      ...['openWave', 'begin', 'commit', 'releaseLocks', 'startCollecting', 'closed:committed'],
    ]);
  });

  test.each([
    ['ProofFailed', { prove: async () => ({ ok: false, reason: 'one point is missing', detail: {} }) }],
    ['CanaryFailed', { canary: async () => ({ ok: false, reason: 'recall fell', detail: { failed: ['q1'] } }) }],
    ['CommitRefused', { commitGeneration: async () => ({ ok: false, reason: 'parent_moved' }) }],
    ['GenerationClosed', { writeBatch: () => Promise.reject(permanent('GenerationClosed')) }],
    ['IncarnationChanged', { writeBatch: () => Promise.reject(permanent('IncarnationChanged')) }],
    ['LockLost', { writeBatch: () => Promise.reject(permanent('LockLost')) }],
    ['DocumentsCollide', { retire: () => Promise.reject(permanent('DocumentsCollide')) }],
  ])('W7 G4 %s: discarded, with the number that is to be swept', async (reason, overrides) => {
    const recorded = recordedWave(overrides);
    const result = await runWave(recorded);
    expect(result).toMatchObject({ outcome: 'discarded', number: 7 });
    expect(result.failure_reason).toContain(reason);
    expect(recorded.generation()).toEqual({ number: 7, state: 'discarded' });
    expect(recorded.calls.slice(-4)).toEqual(['discard', 'releaseLocks', 'startCollecting', 'closed:discarded']);
  });

  test('W7 what fails before anything is written is refused, and nothing is discarded', async () => {
    const recorded = recordedWave({ planWave: () => Promise.reject(permanent('EmbeddingMismatch')) });
    expect(await runWave(recorded)).toMatchObject({ outcome: 'refused', number: null });
    expect(recorded.calls).not.toContain('discard');
  });

  test('G4 what fails behind the commit is committed all the same', async () => {
    const recorded: RecordedWave = recordedWave({
      commitGeneration: async (...args) => {
        await recorded.usual.commitGeneration(...args);
        throw permanent('GenerationUnknown');
      },
    });
    expect(await runWave(recorded)).toMatchObject({ outcome: 'committed', number: 7 });
  });

  test('W5 what failed waits for a person: retried, and only that', async () => {
    const tries: number[] = [];
    const recorded: RecordedWave = recordedWave({
      writeBatch: async (ref, number, batch) => {
        tries.push(batch);
        if (batch === 1 && tries.filter((each) => each === 1).length === 1) throw permanent('NoRoom');
        await recorded.usual.writeBatch(ref, number, batch);
      },
    });
    const result = await runWave(recorded, {}, async (say) => {
      await inPhase(recorded, 'attention');
      await expect(say('approve')).rejects.toThrow();
      await say('retry');
    });
    expect(result).toMatchObject({ outcome: 'committed', documents: 3, failed: 0 });
    expect(tries.sort()).toEqual([0, 1, 1, 2]);
    expect(evidence(recorded)).toContain('write.1:false');
  });

  test('W5 declared complete: committed without what failed', async () => {
    const recorded: RecordedWave = recordedWave({
      writeBatch: async (ref, number, batch) => {
        if (batch === 1) throw permanent('NoRoom');
        await recorded.usual.writeBatch(ref, number, batch);
      },
    });
    const result = await runWave(recorded, {}, async (say) => {
      await inPhase(recorded, 'attention');
      await say('complete');
    });
    expect(result).toMatchObject({ outcome: 'committed_partial', documents: 2, failed: 1 });
  });

  test('W5 cancelled while it writes: what is under way ends first, then it is discarded', async () => {
    let underWay = 0;
    const recorded: RecordedWave = recordedWave({
      batches: 12,
      writeBatch: async () => {
        underWay += 1;
        const beat = setInterval(() => Context.current().heartbeat(), 100);
        await Context.current().cancelled.finally(() => {
          clearInterval(beat);
          underWay -= 1;
        });
      },
      discardGeneration: async (ref) => {
        expect(underWay).toBe(0);
        return recorded.usual.discardGeneration(ref);
      },
    });
    const result = await runWave(recorded, {}, async (say) => {
      await until(() => underWay === 4);
      await say('cancel');
    });
    expect(result).toMatchObject({ outcome: 'cancelled', number: 7 });
    expect(recorded.generation()).toMatchObject({ state: 'discarded' });
  });

  test('W5 an approval is recorded with who gave it; a pause is recorded when it is said', async () => {
    const recorded = recordedWave();
    const last = () => recorded.records.at(-1);
    const result = await runWave(recorded, { require_approval: true }, async (say) => {
      await inPhase(recorded, 'approve');
      await say('pause');
      await until(() => last()?.paused === true);
      await say('approve');
      await until(() => last()?.approved_by === 'tester');
      expect(recorded.calls).not.toContain('begin');
      await say('resume');
    });
    expect(result.outcome).toBe('committed');
    expect(recorded.records.some(({ paused }) => paused)).toBe(true);
    expect(last()).toMatchObject({ paused: false, approved_by: 'tester' });
  });

  test('W5 a command that is meant for another wave of the project is refused', async () => {
    const recorded = recordedWave();
    await runWave(recorded, { require_approval: true }, async (say) => {
      await inPhase(recorded, 'approve');
      const other = '00000000-0000-4000-8000-000000000000';
      await expect(say('approve', other)).rejects.toMatchObject({
        cause: { message: expect.stringContaining('it is over') as string },
      });
      await say('approve');
    });
    expect(recorded.records.at(-1)).toMatchObject({ phase: 'closed' });
  });

  test('W9 a push that comes while a wave runs is followed by another wave, under an id of its own', async () => {
    const recorded = recordedWave();
    await runWave(recorded, { require_approval: true }, async (say, handle) => {
      await inPhase(recorded, 'approve');
      await handle.signal(againSignal, 'webhook');
      await handle.signal(againSignal, 'webhook');
      await say('approve');
    });
    const waves = [...new Set(recorded.records.map(({ wave_id }) => wave_id))];
    expect(waves).toHaveLength(2);
    const closed = recorded.records.filter(({ phase }) => phase === 'closed');
    expect(closed.map(({ wave_id }) => wave_id)).toEqual(waves);
  });

  test('W8 a long wave goes on with a new history: no batch is written twice, and none is left out', async () => {
    const written: number[] = [];
    const recorded: RecordedWave = recordedWave({
      batches: 430,
      writeBatch: async (ref, number, batch) => {
        written.push(batch);
        await recorded.usual.writeBatch(ref, number, batch);
      },
    });
    const result = await runWave(recorded);
    expect(result).toMatchObject({ outcome: 'committed', number: 7, documents: 430 });
    expect(written.sort((a, b) => a - b)).toEqual(Array.from({ length: 430 }, (_, batch) => batch));
    // Prepared once; opened by each of the two histories.
    expect(recorded.calls.filter((call) => ['openWave', 'begin', 'commit'].includes(call))).toEqual([
      ...['openWave', 'begin', 'openWave', 'commit'],
    ]);
  });
});
