import { setTimeout as sleep } from 'node:timers/promises';
import { targetSchema, type CopyState, type TargetView } from '../domain/offsite/schemas.ts';
import type { Context } from './command.ts';
import { exitCodes, type ExitCode } from './exit-codes.ts';
import type { Output } from './output.ts';
import { createProgressTeller } from './progress.ts';
import { waitFor } from './waiting.ts';

const askEveryMs = 1_000;

/** Shows each copy and how far it is, until nothing is left to be pushed. A host that is asleep is waited for, as the push does. */
export async function followPush({ api, out }: Context, name: string, timeoutMs: number | null): Promise<ExitCode> {
  const run = { what: `the push to ${name}`, comeBack: `holdfast backup push ${name} --wait` };
  return waitFor(out, run, timeoutMs, async (left) => {
    const tell = createTeller(out);
    for (let told = ''; ;) {
      const target = await api.get(`/v1/offsite/${encodeURIComponent(name)}`, targetSchema, left);
      tell(target);
      if (target.lag.due === 0) return conclude(out, target);
      const now = JSON.stringify(target);
      if (out.json && now !== told) out.data(target, []);
      told = now;
      await sleep(askEveryMs, undefined, { signal: left });
    }
  });
}

function conclude(out: Output, target: TargetView): ExitCode {
  const { name, lag } = target;
  out.data(target, [lag.waiting === 0 ? `${name} has all` : `${name} lacks ${lag.waiting}`]);
  if (lag.waiting === 0) return exitCodes.ok;
  out.message(`next: holdfast offsite show ${name}`);
  return exitCodes.failed;
}

/** What was there before is not told again. */
function createTeller(out: Output): (target: TargetView) => void {
  const tellProgress = createProgressTeller(out);
  const known = new Map<string, string>();
  let first = true;
  let state = '';
  return ({ name, copies, state: now, reason }) => {
    if (now !== state && reason !== null) out.message(`  ${name} is ${now}: ${reason}; it is tried again by itself`);
    state = now;
    for (const copy of copies.toReversed()) {
      const changed = known.get(copy.stamp) !== copy.state;
      known.set(copy.stamp, copy.state);
      if (first || !changed || copy.state === 'uploading') continue;
      out.message(
        `    ${markOf(out, copy.state)} ${copy.stamp}: ${copy.state}${copy.reason === null ? '' : ` (${copy.reason})`}`,
      );
    }
    first = false;
    const going = copies.find((copy) => copy.state === 'uploading');
    if (going === undefined || reason !== null) return;
    const { stamp, bytes, total_bytes } = going;
    tellProgress({ step: stamp, done_bytes: bytes, total_bytes });
  };
}

function markOf({ paint }: Output, state: CopyState): string {
  if (state === 'verified') return paint('green', '✓');
  return state === 'damaged' || state === 'refused' ? paint('red', '✗') : '·';
}
