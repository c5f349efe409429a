import { deploySchema, type Deploy } from '../domain/deploy/schemas.ts';
import type { Outcome, Phase } from '../domain/deploy/words.ts';
import type { Context } from './command.ts';
import { changesOf } from './changes.ts';
import { exitCodes, type ExitCode } from './exit-codes.ts';
import type { Output } from './output.ts';
import { waitFor } from './waiting.ts';

/** What the outcome of a deploy is to a script. */
function exitCodeOf(outcome: Outcome | null): ExitCode {
  if (outcome === 'promoted') return exitCodes.ok;
  if (outcome === 'promoted_degraded') return exitCodes.partial;
  if (outcome === 'refused' || outcome === 'rollback_denied') return exitCodes.refused;
  return exitCodes.failed;
}

export function comeBack(id: string): string {
  return `holdfast deploys show ${id} --follow`;
}

/** Shows each phase and each check once, until the deploy is closed; what came of it is the exit code. */
export async function follow({ api, out }: Context, id: string, timeoutMs: number | null): Promise<ExitCode> {
  const run = { what: `deploy ${id}`, comeBack: comeBack(id) };
  return waitFor(out, run, timeoutMs, async (left) => {
    const tell = createTeller(out);
    const followed = { path: `/v1/deploys/${encodeURIComponent(id)}`, event: 'deploy', schema: deploySchema };
    for await (const deploy of changesOf(api, followed, left)) {
      tell(deploy);
      if (deploy.closed_at !== null) return conclude(out, deploy);
      if (out.json) out.data(deploy, []);
    }
    throw new Error('the changes of a deploy end only when it is closed');
  });
}

function conclude(out: Output, deploy: Deploy): ExitCode {
  const { id, service, result } = deploy;
  const end = `${service}: ${String(result.outcome)}`;
  out.data(deploy, [end]);
  const exitCode = exitCodeOf(result.outcome);
  if (exitCode !== exitCodes.ok) {
    const why = result.failure_reason ?? result.rollback_policy_reason;
    out.message(`holdfast: ${end}${why === null ? '' : ` (${why})`}`);
    out.message(`next: holdfast deploys show ${id}`);
  }
  return exitCode;
}

function createTeller({ message, paint }: Output): (deploy: Deploy) => void {
  const phases = new Set<Phase>();
  let checks = 0;

  function tellPhase(phase: Phase, atMs: number, requestedMs: number): void {
    if (phases.has(phase)) return;
    phases.add(phase);
    const seconds = Math.max(0, (atMs - requestedMs) / 1000).toFixed(1);
    message(`  ${seconds.padStart(6)} s  ${phase}`);
  }

  return ({ phase, evidence, requested_at, closed_at }) => {
    const requested = Date.parse(requested_at);
    for (const { ok, check, reason, phase: during, at } of evidence.slice(checks)) {
      tellPhase(during, Date.parse(at), requested);
      message(`    ${ok ? paint('green', '✓') : paint('red', '✗')} ${check}: ${reason}`);
    }
    checks = evidence.length;
    tellPhase(phase, closed_at === null ? Date.now() : Date.parse(closed_at), requested);
  };
}
