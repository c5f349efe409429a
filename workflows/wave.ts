import {
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  condition,
  isCancellation,
  makeContinueAsNewFunc,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';
import type { PlannedWave } from '../activities/wave.ts';
import type { WaveFacts } from '../activities/wave-rows.ts';
import { plainRefresh, type WaveGeneration, type WaveInput } from '../domain/wave/run.ts';
import type { WavePlan, WaveResult } from '../domain/wave/schemas.ts';
import { isBefore } from '../domain/wave/words.ts';
import { failureReason } from './failure-reason.ts';
import { locks, operations } from './proxies.ts';
import { kindKey, phaseKey, subjectKey } from './search-attributes.ts';
import { writeBatches } from './wave-batches.ts';
import { beginningOn, lastWaveWord, waveOnBox, waveRows } from './wave-proxies.ts';
import { listenForCommands, type WaveControl } from './wave-commands.ts';
import { createWaveJournal, type WaveJournal } from './wave-journal.ts';
import type { WaveRun } from './wave-run.ts';

/** How many batches a piece of the history is long. */
const batchesOfARun = 200;

/** What a wave came to; `cut`: it goes on with a new history. */
type End = 'done' | { readonly cut: WaveGeneration; readonly box: string };

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
      journal.begin(facts);
      if (input.resumed === undefined) await journal.enter('lock');
      const [lock] = await locks.takeLocks([{ resource: 'data', mode: 'shared' }], lockedBy);
      if (lock === undefined) throw ApplicationFailure.nonRetryable('No lock was given');
      const { wave_id, project, resumed } = input;
      const incarnation = resumed?.generation.incarnation ?? facts.incarnation;
      const ref = { wave_id, project, incarnation, lock_token: lock.token };
      const run = { input, ref, box: resumed?.box ?? facts.box, journal, control };
      return resumed === undefined ? prepare(run, facts) : apply(run, resumed.generation);
    });
  } catch (error) {
    await CancellationScope.nonCancellable(() => giveUp(input, journal, error));
  }
  await CancellationScope.nonCancellable(() => operations.releaseLocks(lockedBy));
  if (end !== 'done') {
    await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
    if (!work.consideredCancelled) return goOn(input, journal, control, end);
    await CancellationScope.nonCancellable(() => giveUp(input, journal, new CancelledFailure('cancelled')));
  }
  await CancellationScope.nonCancellable(async () => {
    await waveRows.startCollecting(input.project);
    await journal.close(lastWaveWord);
    await condition(allHandlersFinished);
  });
  if (control.again !== null) await follow(input, control.again);
  return journal.result;
}

/** Nothing that anybody sees is changed. */
async function prepare(run: WaveRun, facts: WaveFacts): Promise<End> {
  const { input, ref, journal, control } = run;
  const box = waveOnBox(run.box);
  await journal.enter('list');
  for (const source of facts.sources) {
    await control.whilePaused();
    const listed = await box.listSource(ref, source);
    await journal.check(`list.${source}`, true, listed.reason, { ...listed });
  }
  await journal.enter('plan');
  const { plan, ...against } = await box.planWave(ref, input.request, facts.sources);
  await journal.plan(plan);
  if (isEmpty(plan)) return journal.conclude('nothing_to_do');
  if (input.request.dry_run) return journal.conclude('planned');
  if (facts.held) return journal.conclude('planned', 'The project is held since its rollback: release it first');
  if (input.request.require_approval ?? facts.approval_required) {
    await journal.enter('approve');
    await journal.approved(await control.approval());
  }
  await journal.enter('stage');
  await control.whilePaused();
  const staged = await box.stage(ref, facts.sources);
  await journal.check('stage', true, `${staged.staged} items, ${staged.bytes} bytes`, { ...staged });
  await journal.enter('write');
  return apply(run, await begin(run, against));
}

async function begin(run: WaveRun, against: Omit<PlannedWave, 'plan'>): Promise<WaveGeneration> {
  const { ref, journal } = run;
  const generation = await beginningOn(run.box).beginGeneration(ref, against);
  journal.note({ number: generation.number });
  await waveOnBox(run.box).retire(ref, generation.number);
  return generation;
}

/** Write, prove, commit; or to where the history is cut. */
async function apply(run: WaveRun, generation: WaveGeneration): Promise<End> {
  const { ref, journal } = run;
  if ((await write(run, generation)) === 'cut') return { cut: generation, box: run.box };

  await journal.enter('prove');
  const box = waveOnBox(run.box);
  const proof = await box.prove(ref, generation.number);
  await journal.check('proof', proof.ok, proof.reason, { ...proof.detail });
  if (!proof.ok) throw ApplicationFailure.nonRetryable(proof.reason, 'ProofFailed');

  await journal.enter('canary');
  const canary = await box.canary(ref, generation.number);
  await journal.check('canary', canary.ok, canary.reason, { ...canary.detail });
  if (!canary.ok) throw ApplicationFailure.nonRetryable(canary.reason, 'CanaryFailed');

  if (CancellationScope.current().consideredCancelled) throw new CancelledFailure('cancelled');
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
async function write(run: WaveRun, generation: WaveGeneration): Promise<'done' | 'cut'> {
  const { ref, journal } = run;
  for (let piece = 0; ; piece += 1) {
    const batches = await waveRows.openBatches(ref, batchesOfARun);
    // A history has room for one piece of a long wave, and for what is to be said at its end.
    if (piece > 0 && (batches.length === batchesOfARun || workflowInfo().continueAsNewSuggested)) return 'cut';
    if (batches.length > 0) await writeBatches(run, generation, batches);
    const { undecided, why, ...tally } = await waveRows.tally(ref);
    journal.note(tally);
    if (batches.length > 0) continue;
    if (undecided === 0 || (await askWhatToDo(run, undecided, why ?? '')) === 'complete') return 'done';
  }
}

/** Retry only what failed, or do without it. */
async function askWhatToDo({ ref, journal, control }: WaveRun, undecided: number, why: string) {
  await journal.enter('attention');
  await journal.recheck('write', false, `${undecided} documents failed: ${why}`, { failed: undecided });
  const decision = await control.decision();
  if (decision === 'retry') await waveRows.reopenFailed(ref);
  await journal.enter('write');
  return decision;
}

/** Nothing of it was seen, and nothing of it stays: the sweep takes away what was written. */
async function giveUp({ wave_id, project }: WaveInput, journal: WaveJournal, error: unknown): Promise<void> {
  const reason = failureReason(error);
  // From `write` on a generation may be there.
  if (isBefore(journal.phase(), 'write')) {
    journal.conclude(isCancellation(error) ? 'cancelled' : 'refused', isCancellation(error) ? 'cancelled' : reason);
    return;
  }
  await journal.enter('discard');
  // What became of the generation is its row's to say: a step may have done more than was heard of it.
  const { number, state } = await waveRows.discardGeneration({ wave_id, project });
  journal.note({ number });
  if (state === 'committed') journal.conclude('committed', reason);
  else if (isCancellation(error)) journal.conclude('cancelled', 'cancelled');
  else journal.conclude(number === null ? 'refused' : 'discarded', reason);
}

/** The same wave with a new history. */
function goOn(
  input: WaveInput,
  journal: WaveJournal,
  { again }: WaveControl,
  { cut, box }: Exclude<End, 'done'>,
): Promise<never> {
  const resumed = { generation: cut, box, paused: journal.paused, again, rechecks: journal.rechecks() };
  return makeContinueAsNewFunc<typeof wave>()({ ...input, resumed });
}

/** Row W9: what came while this one ran is looked at by the next one, under the same id, which is the project's lock. */
function follow({ project }: WaveInput, actor: string): Promise<never> {
  const wave_id = uuid4();
  return makeContinueAsNewFunc<typeof wave>({
    memo: { record_id: wave_id, actor },
    typedSearchAttributes: [
      { key: kindKey, value: 'wave' },
      { key: subjectKey, value: `project/${project}` },
      { key: phaseKey, value: 'requested' },
    ],
  })({ wave_id, project, actor, trigger: 'again', request: plainRefresh });
}

function isEmpty({ added, changed, moved, removed }: WavePlan): boolean {
  return added + changed + moved + removed === 0;
}
