import { createParser } from 'eventsource-parser';
import { setTimeout as sleep } from 'node:timers/promises';
import { deploySchema, type Deploy } from '../domain/deploy/schemas.ts';
import type { Outcome } from '../domain/deploy/words.ts';
import { CliError } from './cli-error.ts';
import type { Context } from './command.ts';
import { exitCodes, type ExitCode } from './exit-codes.ts';

const reconnectMs = 500;
const patienceMs = 60_000;

/** What the outcome of a deploy is to a script. */
export function exitCodeOf(outcome: Outcome | null): ExitCode {
  if (outcome === 'promoted') return exitCodes.ok;
  if (outcome === 'promoted_degraded') return exitCodes.partial;
  if (outcome === 'refused' || outcome === 'rollback_denied') return exitCodes.refused;
  return exitCodes.failed;
}

/**
 * Shows each phase and each check once, until the deploy is closed. Ctrl-C leaves it running and says how to come back;
 * so does the timeout.
 */
export async function follow({ api, out }: Context, id: string, timeoutMs: number | null): Promise<ExitCode> {
  const leave = new AbortController();
  const onInterrupt = (): void => leave.abort('interrupted');
  process.once('SIGINT', onInterrupt);
  const timer = timeoutMs === null ? null : setTimeout(() => leave.abort('timed out'), timeoutMs);
  const teller = createTeller(out);
  try {
    for await (const deploy of changes(api, id, leave.signal)) {
      teller(deploy);
      if (deploy.closed_at === null) {
        if (out.json) out.data(deploy, []);
        continue;
      }
      out.data(deploy, [`${deploy.service}: ${String(deploy.result.outcome)}`]);
      return exitCodeOf(deploy.result.outcome);
    }
    throw new CliError('The deploy could not be followed to its end', exitCodes.failed, comeBack(id));
  } catch (error) {
    if (!leave.signal.aborted) throw error;
    const timedOut = leave.signal.reason === 'timed out';
    out.message(`\nholdfast: ${timedOut ? 'not done in time' : 'left'}; deploy ${id} goes on`);
    out.message(`next: ${comeBack(id)}`);
    return timedOut ? exitCodes.timedOut : exitCodes.interrupted;
  } finally {
    process.off('SIGINT', onInterrupt);
    if (timer !== null) clearTimeout(timer);
  }
}

export function comeBack(id: string): string {
  return `holdfast deploys show ${id} --follow`;
}

/** The deploy at each change. A stream that breaks off is opened again; the API may be away for a minute. */
async function* changes(api: Context['api'], id: string, signal: AbortSignal): AsyncGenerator<Deploy> {
  let lastHeard = Date.now();
  for (;;) {
    try {
      for await (const deploy of streamed(api, id, signal)) {
        lastHeard = Date.now();
        yield deploy;
        if (deploy.closed_at !== null) return;
      }
    } catch (error) {
      signal.throwIfAborted();
      const final = error instanceof CliError && error.exitCode !== exitCodes.failed;
      if (final || Date.now() - lastHeard > patienceMs) throw error;
    }
    await sleep(reconnectMs, undefined, { signal });
  }
}

async function* streamed(api: Context['api'], id: string, signal: AbortSignal): AsyncGenerator<Deploy> {
  const { body } = await api.stream(`/v1/deploys/${id}`, signal);
  const arrived: Deploy[] = [];
  const parser = createParser({
    onEvent: ({ event, data }) => {
      if (event === 'deploy') arrived.push(deploySchema.parse(JSON.parse(data)));
    },
  });
  const decoder = new TextDecoder();
  for await (const chunk of body ?? []) {
    parser.feed(decoder.decode(chunk as Uint8Array, { stream: true }));
    yield* arrived.splice(0);
  }
}

function createTeller({ message, paint }: Context['out']): (deploy: Deploy) => void {
  let phase = '';
  let told = 0;
  return ({ phase: now, evidence, requested_at, result }) => {
    const seconds = ((Date.now() - Date.parse(requested_at)) / 1000).toFixed(1);
    for (const { ok, check, reason } of evidence.slice(told)) {
      message(`    ${ok ? paint('green', '✓') : paint('red', '✗')} ${check}: ${reason}`);
    }
    told = evidence.length;
    if (now === phase) return;
    phase = now;
    const why = result.failure_reason === null || now !== 'closed' ? '' : ` (${result.failure_reason})`;
    message(`  ${seconds.padStart(6)} s  ${now === 'closed' ? `${String(result.outcome)}${why}` : now}`);
  };
}
