import { backupRunSchema, type BackupRun, type TargetPlan } from '../domain/backup/schemas.ts';
import type { BackupOutcome, BackupPhase } from '../domain/backup/words.ts';
import { changesOf } from './changes.ts';
import type { Context } from './command.ts';
import { exitCodes, type ExitCode } from './exit-codes.ts';
import type { Output } from './output.ts';
import { createProgressTeller } from './progress.ts';
import { megabytes } from './sizes.ts';
import { waitFor } from './waiting.ts';

const endings: Readonly<Record<BackupOutcome, ExitCode>> = {
  ...{ published: exitCodes.ok, valid: exitCodes.ok, pruned: exitCodes.ok, planned: exitCodes.ok },
  ...{ nothing_to_do: exitCodes.ok, pulled: exitCodes.ok, invalid: exitCodes.finding },
  ...{ refused: exitCodes.refused, blocked: exitCodes.refused, failed: exitCodes.failed, cancelled: exitCodes.failed },
};

/** What the outcome of a run is to a script. */
function exitCodeOf({ outcome, degraded }: BackupRun['result']): ExitCode {
  if (outcome === null) return exitCodes.failed;
  const code = endings[outcome];
  return code === exitCodes.ok && degraded.length > 0 ? exitCodes.partial : code;
}

export function comeBackToRun(id: string): string {
  return `holdfast backup run ${id} --follow`;
}

/** Shows each phase, each check and how far it is, until the run is closed; what came of it is the exit code. */
export async function followBackup({ api, out }: Context, id: string, timeoutMs: number | null): Promise<ExitCode> {
  const run = { what: `run ${id}`, comeBack: comeBackToRun(id) };
  const followed = { path: `/v1/backup_runs/${encodeURIComponent(id)}`, event: 'backup_run', schema: backupRunSchema };
  return waitFor(out, run, timeoutMs, async (left) => {
    const tell = createTeller(out);
    for await (const state of changesOf(api, followed, left)) {
      tell(state);
      if (state.closed_at !== null) return conclude(out, state);
      if (out.json) out.data(state, []);
    }
    throw new Error('the changes of a run end only when it is closed');
  });
}

/** For people: what it did, what it was proved by, and what is left to do. */
export function linesOfRun(run: BackupRun): string[] {
  const { kind, id, stamp, phase, result, evidence } = run;
  const steps = Object.entries(result.timings_ms).map(([step, ms]) => `${step} ${(ms / 1_000).toFixed(1)} s`);
  return [
    `${kind} ${stamp ?? ''} ${id}: ${phase}`.replace('  ', ' '),
    `  result      ${result.outcome ?? '-'}${result.failure_reason === null ? '' : ` (${result.failure_reason})`}`,
    ...(result.members === 0
      ? []
      : [
          `  size        ${result.members} members, ${megabytes(result.plain_bytes)} MB, stored as ${megabytes(result.stored_bytes)} MB`,
        ]),
    ...(steps.length === 0 ? [] : [`  time        ${steps.join(', ')}`]),
    ...(result.proved.length === 0 ? [] : [`  proved      ${result.proved.join(', ')}`]),
    ...result.degraded.map((why) => `  degraded    ${why}`),
    ...linesOfPlan(run),
    ...evidence.map(({ ok, phase: during, check, reason }) => `  ${ok ? '✓' : '✗'} ${during}  ${check}: ${reason}`),
  ];
}

function linesOfPlan({ result: { plan, trashed, purged } }: BackupRun): string[] {
  if (plan === null) return [];
  return [
    ...plan.keep.map(({ stamp, why }) => `    keep  ${stamp}  ${why}`),
    ...plan.drop.map(({ stamp, why }) => `    ${trashed.includes(stamp) ? 'gone' : 'drop'}  ${stamp}  ${why}`),
    ...purged.map((stamp) => `    purged from the trash  ${stamp}`),
    ...plan.targets.flatMap(linesOfTarget),
  ];
}

function linesOfTarget({ target, keep, drop, blocked }: TargetPlan): string[] {
  if (blocked !== null) return [`  at ${target}: nothing goes: ${blocked}`];
  if (drop.length === 0) return [`  at ${target}: ${keep.length} kept, nothing to go`];
  return [
    `  at ${target}: ${keep.length} kept, ${drop.length} to go`,
    ...drop.map(({ stamp, why }) => `    drop  ${stamp}  ${why}`),
  ];
}

function conclude(out: Output, run: BackupRun): ExitCode {
  const { id, kind, stamp, result } = run;
  const end = `${kind}${stamp === null ? '' : ` ${stamp}`}: ${String(result.outcome)}`;
  out.data(run, result.plan === null ? [end] : [end, ...linesOfPlan(run)]);
  const exitCode = exitCodeOf(result);
  if (exitCode !== exitCodes.ok) {
    const why = result.failure_reason ?? (result.degraded.length > 0 ? result.degraded.join('; ') : null);
    out.message(`holdfast: ${end}${why === null ? '' : ` (${why})`}`);
    out.message(`next: holdfast backup ${exitCode === exitCodes.partial ? `show ${stamp ?? ''}` : `run ${id}`}`);
  }
  return exitCode;
}

function createTeller(out: Output): (run: BackupRun) => void {
  const { message, paint } = out;
  const phases = new Set<BackupPhase>();
  const tellProgress = createProgressTeller(out);
  let checks = 0;

  return (run) => {
    const { phase, evidence, requested_at, closed_at } = run;
    const enter = (entered: BackupPhase, atMs: number): void => {
      if (phases.has(entered)) return;
      phases.add(entered);
      const seconds = Math.max(0, (atMs - Date.parse(requested_at)) / 1_000).toFixed(1);
      message(`  ${seconds.padStart(6)} s  ${entered}`);
    };
    for (const { ok, check, reason, phase: during, at } of evidence.slice(checks)) {
      enter(during, Date.parse(at));
      message(`    ${ok ? paint('green', '✓') : paint('red', '✗')} ${check}: ${reason}`);
    }
    checks = evidence.length;
    enter(phase, closed_at === null ? Date.now() : Date.parse(closed_at));
    tellProgress(run.progress);
  };
}
