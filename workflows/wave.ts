import {
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  condition,
  continueAsNew,
  isCancellation,
  workflowInfo,
} from '@temporalio/workflow';
import type { PlannedWave } from '../activities/wave.ts';
import type { WaveFacts } from '../activities/wave-rows.ts';
import type { WaveGeneration, WaveInput, WaveReference } from '../domain/wave/run.ts';
import type { WavePlan, WaveResult } from '../domain/wave/schemas.ts';
import { failureReason } from './failure-reason.ts';
import { locks, operations } from './proxies.ts';
import { beginningOn, lastWaveWord, waveOnBox, waveRows, writingOn } from './wave-proxies.ts';
import { listenForCommands, type WaveControl } from './wave-commands.ts';
import { createWaveJournal, type WaveJournal } from './wave-journal.ts';

/** How many batches are under way at once, over all workers of the box. */
const windowOfBatches = 4;
/** How many batches a piece of the history is long. */
const batchesOfARun = 500;

interface WaveRun {
  readonly input: WaveInput;
  readonly ref: WaveReference;
  readonly journal: WaveJournal;
  readonly control: WaveControl;
}

/** What a wave came to; `cut`: it goes on with a new history. */
type End = 'done' | { readonly cut: WaveGeneration };

/**
 * Prepare, apply, prove, and then keep or put back: one wave of documents into a project. What it writes is an unseen
 * generation until the one statement that commits it; whatever dies on the way, it is seen whole or not at all.
 */
export async function wave(input: WaveInput): Promise<WaveResult> {
  const { workflowId: workflow_id, runId: run_id } = workflowInfo();
  const lockedBy = { workflow_id, run_id };
  const journal = createWaveJournal(input);
  const control = listenForCommands(input, journal);
  const work = new CancellationScope();
  control.whenCancelled(() => work.cancel());
  let end: End = 'done';
  try {
    end = await work.run(async () => {
      const facts = await waveRows.openWave(input, lockedBy);
      journal.begin(facts.result);
      if (input.resumed === undefined) await journal.enter('lock');
      const [lock] = await locks.takeLocks([{ resource: 'data', mode: 'shared' }], lockedBy);
      if (lock === undefined) throw ApplicationFailure.nonRetryable('No lock was given');
      const { wave_id, project } = input;
      const incarnation = input.resumed?.generation.incarnation ?? facts.incarnation;
      const run = { input, journal, control, ref: { wave_id, project, incarnation, lock_token: lock.token } };
      return input.resumed === undefined ? carryOut(run, facts) : finish(run, input.resumed.generation);
    });
  } catch (error) {
    await CancellationScope.nonCancellable(() => giveUp(input, journal, error));
  }
  await CancellationScope.nonCancellable(() => operations.releaseLocks(lockedBy));
  if (end !== 'done') {
    await condition(allHandlersFinished);
    const resumed = { generation: end.cut, paused: journal.paused, again: control.again };
    return continueAsNew<typeof wave>({ ...input, resumed });
  }
  await CancellationScope.nonCancellable(async () => {
    await waveRows.startCollecting(input.project);
    await condition(allHandlersFinished);
    await journal.close(lastWaveWord);
    if (control.again) await waveRows.startRefresh(input.project, 'again');
  });
  return journal.result;
}

async function carryOut(run: WaveRun, facts: WaveFacts): Promise<End> {
  const { input, ref, journal, control } = run;
  const box = waveOnBox(input.box);
  await journal.enter('list');
  for (const source of facts.sources) {
    await control.whilePaused();
    const listed = await box.listSource(ref, source);
    await journal.check(`list.${source}`, true, listed.reason, { ...listed });
  }
  await journal.enter('plan');
  const { plan, ...against } = await box.planWave(ref, input.request);
  await journal.plan(plan);
  if (isEmpty(plan)) return journal.conclude('nothing_to_do');
  if (input.request.dry_run) return journal.conclude('planned');
  if (facts.held) return journal.conclude('planned', 'The project is held since its rollback: release it first');
  if (input.request.require_approval ?? facts.approval_required) await approved(run);

  await journal.enter('stage');
  await control.whilePaused();
  const staged = await box.stage(ref);
  await journal.check('stage', true, `${staged.staged} items, ${staged.bytes} bytes`, { ...staged });
  await journal.enter('write');
  const generation = await begin(run, against);
  journal.note({ number: generation.number });
  return finish(run, generation);
}

async function begin({ input, ref }: WaveRun, against: Omit<PlannedWave, 'plan'>): Promise<WaveGeneration> {
  const generation = await beginningOn(input.box).beginGeneration(ref, against);
  await waveOnBox(input.box).retire(ref, generation.number);
  return generation;
}

async function approved({ journal, control }: WaveRun): Promise<void> {
  await journal.enter('approve');
  const by = await control.approval();
  await journal.check('approval', true, `approved by ${by}`, { actor: by });
}

/** From the first write on: to the end of it, or to where the history is cut. */
async function finish(run: WaveRun, generation: WaveGeneration): Promise<End> {
  const { input, ref, journal } = run;
  const written = await write(run, generation);
  if (written !== 'done') return written;

  await journal.enter('prove');
  const box = waveOnBox(input.box);
  const proof = await box.prove(ref, generation.number);
  await journal.check('proof', proof.ok, proof.reason, { ...proof.detail });
  if (!proof.ok) throw ApplicationFailure.nonRetryable(proof.reason, 'ProofFailed');

  await journal.enter('canary');
  const canary = await box.canary(ref, generation.number);
  await journal.check('canary', canary.ok, canary.reason, { ...canary.detail });
  if (!canary.ok) throw ApplicationFailure.nonRetryable(canary.reason, 'CanaryFailed');

  // From here on a cancellation changes nothing: the one statement is through, or it is not.
  return CancellationScope.nonCancellable(async () => {
    await journal.enter('commit');
    const committed = await waveRows.commitGeneration(ref, generation.number);
    await journal.check('commit', committed.ok, committed.reason);
    if (!committed.ok) throw ApplicationFailure.nonRetryable(committed.reason, 'CommitRefused');
    return journal.conclude(journal.result.failed > 0 ? 'committed_partial' : 'committed');
  });
}

/** All batches that have something to do; what failed waits for a person. */
async function write(run: WaveRun, generation: WaveGeneration): Promise<End> {
  const { ref, journal } = run;
  for (let piece = 0; ; piece += 1) {
    const batches = await waveRows.openBatches(ref, batchesOfARun);
    // A history has room for one piece of a long wave, and for what is to be said at its end.
    if (batches.length === batchesOfARun && piece > 0) return { cut: generation };
    const failures = await writeBatches(run, generation, batches);
    const tally = await waveRows.tally(ref);
    journal.note(tally);
    if (failures.length === 0 && tally.failed === 0) {
      if (batches.length === 0) return 'done';
    } else if ((await askWhatToDo(run, failures, tally.failed)) === 'complete') {
      journal.note(await waveRows.giveUpOpenItems(ref));
      return 'done';
    }
  }
}

/** Retry only what failed, or do without it. */
async function askWhatToDo(
  { ref, journal, control }: WaveRun,
  failures: readonly string[],
  failed: number,
): Promise<'retry' | 'complete'> {
  await journal.enter('attention');
  const reason = failures[0] ?? `${failed} documents failed`;
  await journal.recheck('write', false, reason, { failures: failures.slice(0, 20), failed });
  const decision = await control.decision();
  if (decision === 'retry') await waveRows.reopenFailed(ref);
  await journal.enter('write');
  return decision;
}

/** A sliding window. Returns the reasons of batches that were given up. */
async function writeBatches(run: WaveRun, generation: WaveGeneration, batches: readonly number[]): Promise<string[]> {
  const { input, ref, journal, control } = run;
  const box = writingOn(input.box);
  const failures: string[] = [];
  const open = new Set<Promise<void>>();
  let done = 0;
  for (const batch of batches) {
    await control.whilePaused();
    if (open.size >= windowOfBatches) await Promise.race(open);
    const work: Promise<void> = box
      .writeBatch(ref, generation.number, batch)
      .then(() => journal.show(`${(done += 1)} of ${batches.length} batches`))
      .catch((error: unknown) => {
        if (isCancellation(error)) throw error;
        failures.push(failureReason(error));
      })
      .finally(() => open.delete(work));
    open.add(work);
  }
  await Promise.all(open);
  return failures;
}

/** Nothing of it was seen, and nothing of it stays: the sweep takes away what was written. */
async function giveUp(input: WaveInput, journal: WaveJournal, error: unknown): Promise<void> {
  const reason = failureReason(error);
  const begun = journal.result.number !== null;
  if (begun) {
    await journal.enter('discard');
    await waveRows.discardGeneration({ wave_id: input.wave_id, project: input.project });
  }
  if (isCancellation(error)) journal.conclude('cancelled', 'cancelled');
  else journal.conclude(begun ? 'discarded' : 'refused', reason);
}

function isEmpty({ added, changed, moved, removed }: WavePlan): boolean {
  return added + changed + moved + removed === 0;
}
