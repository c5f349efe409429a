import { constants } from 'node:os';
import type { Sample } from '../../domain/deploy/watch.ts';
import type { ServiceSpec } from '../../domain/service.ts';
import type { ProcessDriver } from '../process/driver.ts';
import { inheritedEnv, type Environment } from '../process/inherited-env.ts';
import { runCommand } from '../process/run-command.ts';
import type { InstanceState } from '../process/types.ts';
import { probeHttp } from './http.ts';

/** Row D5. */
export interface ProbeResult {
  readonly healthy: boolean;
  readonly running: boolean;
  readonly pid: number | null;
  readonly probe: 'process' | 'command' | 'http';
  readonly reason: string;
  readonly checked_at: string;
  readonly returncode: number | null;
  readonly http_status: number | null;
  readonly command: readonly string[] | null;
  /** What the service says of itself in the `build_sha` of a JSON answer. */
  readonly reported_build_sha: string | null;
}

export interface ProbeRequest {
  readonly service: string;
  readonly instance: string;
  readonly probes: ServiceSpec['probes'];
  readonly signal?: AbortSignal | undefined;
}

export type Sampler = (request: ProbeRequest) => Promise<Sample>;

type Finding = Pick<ProbeResult, 'healthy' | 'probe' | 'reason'> & Partial<ProbeResult>;

/** Looks at the process first, then asks the command if one is set, else the URL if one is set. Changes nothing. */
export async function probe(
  state: InstanceState,
  { probes, signal }: Pick<ProbeRequest, 'probes' | 'signal'>,
  command: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
): Promise<ProbeResult> {
  const finding = await findingOf(state, probes, command, signal);
  return {
    running: state.running,
    pid: state.pid,
    checked_at: new Date().toISOString(),
    returncode: null,
    http_status: null,
    command: null,
    reported_build_sha: null,
    ...finding,
  };
}

/** A probe with the driver's own knowledge, as one sample for the watch. */
export function createProbe(processes: Pick<ProcessDriver, 'inspect' | 'workingFolder'>, env: Environment): Sampler {
  return async (request) => {
    const { service, instance } = request;
    const state = await processes.inspect(service, instance);
    const cwd = processes.workingFolder(service, instance) ?? '/';
    const at_ms = Date.now();
    return toSample(state, await probe(state, request, { cwd, env: inheritedEnv(env) }), at_ms);
  };
}

export function toSample(state: InstanceState, result: ProbeResult, at_ms: number): Sample {
  const { running, pid, restart_count, exit_code, exit_signal } = state;
  const { healthy, reason, reported_build_sha } = result;
  const answered = result.http_status !== null || (result.probe === 'command' && result.returncode !== null);
  return { at_ms, running, pid, restart_count, exit_code, exit_signal, healthy, reason, answered, reported_build_sha };
}

async function findingOf(
  state: InstanceState,
  { command, http, timeout_ms }: ProbeRequest['probes'],
  place: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
  signal: AbortSignal | undefined,
): Promise<Finding> {
  if (!state.running) return notRunning(state);
  if (command !== undefined) return probeCommand(command.argv, { ...place, timeout_ms, signal });
  if (http !== undefined) return { probe: 'http', ...(await probeHttp(http.url, timeout_ms, signal)) };
  return { healthy: true, probe: 'process', reason: 'process_running' };
}

/** A program ended by signal n counts as one that exited with 128 + n, as in a shell. */
function notRunning({ exit_code, exit_signal }: InstanceState): Finding {
  const signal = exit_signal === null ? null : 128 + constants.signals[exit_signal as NodeJS.Signals];
  const returncode = exit_code ?? signal;
  const reason = returncode === null ? 'process_not_running' : `process_exited:${returncode}`;
  return { healthy: false, probe: 'process', reason, returncode };
}

async function probeCommand(
  command: readonly string[],
  options: Omit<Parameters<typeof runCommand>[1], 'grace_ms' | 'onOutput'>,
): Promise<Finding> {
  const asked = { healthy: false, probe: 'command', command } as const;
  try {
    const { exit_code: returncode, timed_out } = await runCommand(command, { ...options, grace_ms: 0 });
    if (timed_out) return { ...asked, reason: 'command_timeout' };
    if (returncode === 0) return { ...asked, healthy: true, reason: 'command_ok', returncode };
    return { ...asked, reason: `command_exit:${returncode}`, returncode };
  } catch (error) {
    options.signal?.throwIfAborted();
    const { code, name } = error as NodeJS.ErrnoException;
    return { ...asked, reason: `command_error:${code ?? name}` };
  }
}
