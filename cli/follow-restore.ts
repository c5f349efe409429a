import { restoreSchema, type Restore } from '../domain/restore/schemas.ts';
import type { RestoreOutcome, RestorePhase } from '../domain/restore/words.ts';
import { changesOf } from './changes.ts';
import type { Context } from './command.ts';
import { exitCodes, type ExitCode } from './exit-codes.ts';
import type { Output } from './output.ts';
import { createProgressTeller } from './progress.ts';
import { waitFor } from './waiting.ts';

const endings: Readonly<Record<RestoreOutcome, ExitCode>> = {
  ...{ released: exitCodes.ok, undone: exitCodes.ok, refused: exitCodes.refused },
  ...{ put_back: exitCodes.failed, failed: exitCodes.failed, cancelled: exitCodes.failed, stuck: exitCodes.finding },
};

/**
 * Shows each phase and each check, until the restore is held or closed, or `until` says that it is far enough. `alone`: who
 * carries it out is stopped behind this command.
 */
export async function followRestore(
  { api, out }: Context,
  id: string,
  timeoutMs: number | null,
  { until = isHeld, alone = false }: Following = {},
): Promise<ExitCode> {
  const run = {
    what: `restore ${id}`,
    ...(alone
      ? { comeBack: 'holdfast up', becomes: 'goes on with the next start' }
      : { comeBack: `holdfast restore show ${id} --follow` }),
  };
  const followed = { path: `/v1/restores/${encodeURIComponent(id)}`, event: 'restore', schema: restoreSchema };
  return waitFor(out, run, timeoutMs, async (left) => {
    const tell = createTeller(out);
    for await (const state of changesOf(api, followed, left)) {
      tell(state);
      if (state.closed_at !== null || until(state)) return conclude(out, state);
      if (out.json) out.data(state, []);
    }
    throw new Error('the changes of a restore end only when it is closed');
  });
}

const isHeld = ({ phase }: Restore): boolean => phase === 'held';

interface Following {
  readonly until?: (restore: Restore) => boolean;
  readonly alone?: boolean;
}

/** For people: what is live, what it was proved by, and what can be done. */
export function linesOfRestore({ id, stamp, phase, result, evidence }: Restore): string[] {
  const steps = Object.entries(result.timings_ms).map(([step, ms]) => `${step} ${(ms / 1_000).toFixed(1)} s`);
  return [
    `restore of ${stamp} ${id}: ${phase}`,
    `  live        ${result.live === 'old' ? 'what was live before' : result.live === 'restored' ? 'what was restored' : 'not known'}`,
    `  result      ${result.outcome ?? '-'}${result.failure_reason === null ? '' : ` (${result.failure_reason})`}`,
    ...(result.safety_stamp === null ? [] : [`  safety      ${result.safety_stamp}`]),
    ...(result.held_until === null ? [] : [`  held until  ${result.held_until}: holdfast restore undo, or release`]),
    ...(steps.length === 0 ? [] : [`  time        ${steps.join(', ')}`]),
    ...result.degraded.map((why) => `  degraded    ${why}`),
    ...evidence.map(({ ok, phase: during, check, reason }) => `  ${ok ? '✓' : '✗'} ${during}  ${check}: ${reason}`),
  ];
}

function conclude(out: Output, restore: Restore): ExitCode {
  const { id, stamp, result, closed_at } = restore;
  if (closed_at === null) {
    out.data(restore, [`${stamp} is live; the old side is kept until ${result.held_until ?? 'it is let go'}`]);
    out.message('next: look at it, then holdfast restore release, or holdfast restore undo');
    return result.degraded.length > 0 ? exitCodes.partial : exitCodes.ok;
  }
  const end = `restore of ${stamp}: ${String(result.outcome)}`;
  out.data(restore, [end]);
  const code = result.outcome === null ? exitCodes.failed : endings[result.outcome];
  if (code !== exitCodes.ok) {
    out.message(`holdfast: ${end}${result.failure_reason === null ? '' : ` (${result.failure_reason})`}`);
    out.message(`next: holdfast restore show ${id}`);
  }
  return code;
}

function createTeller(out: Output): (restore: Restore) => void {
  const { message, paint } = out;
  const tellProgress = createProgressTeller(out);
  let entered: RestorePhase | null = null;
  let checks = 0;
  return ({ phase, evidence, progress, requested_at, closed_at }) => {
    const enter = (next: RestorePhase, atMs: number): void => {
      if (next === entered) return;
      entered = next;
      const seconds = Math.max(0, (atMs - Date.parse(requested_at)) / 1_000).toFixed(1);
      message(`  ${seconds.padStart(6)} s  ${next}`);
    };
    for (const { ok, check, reason, phase: during, at } of evidence.slice(checks)) {
      enter(during, Date.parse(at));
      message(`    ${ok ? paint('green', '✓') : paint('red', '✗')} ${check}: ${reason}`);
    }
    checks = evidence.length;
    enter(phase, closed_at === null ? Date.now() : Date.parse(closed_at));
    tellProgress(progress);
  };
}
