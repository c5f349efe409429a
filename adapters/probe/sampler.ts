import { connect } from 'node:net';
import { constants } from 'node:os';
import type { Instance, InstanceState } from '../../domain/deploy/instance.ts';
import type { ProbeResult } from '../../domain/deploy/probe.ts';
import type { StandingSample } from '../../domain/deploy/standing-watch.ts';
import type { ServiceSpec } from '../../domain/service.ts';
import type { Driver } from '../drivers/driver.ts';
import { probeHttp } from './http.ts';
import { throughSwitch } from './through-switch.ts';

export interface SampleOrder {
  readonly instance: Instance;
  readonly driver: Pick<Driver, 'inspect' | 'runProbe'>;
  /** `traffic`: HTTP is asked as the world asks it, through the switch. */
  readonly via: 'instance' | 'traffic';
  readonly signal: AbortSignal;
}

export type Sampler = (order: SampleOrder) => Promise<StandingSample>;

type Probes = Pick<ServiceSpec['probes'], 'http' | 'command'>;
type Finding = Pick<ProbeResult, 'healthy' | 'probe' | 'reason'> &
  Partial<ProbeResult> & { readonly reported_build_sha?: string | null };

/**
 * Row D5: one look at an instance: what its driver knows, its readiness, and apart from that its liveness. Changes
 * nothing. Throws only when it is called off or the driver cannot be asked, which is no finding about the service.
 */
export async function sample(order: SampleOrder): Promise<StandingSample> {
  const at_ms = Date.now();
  const state = await order.driver.inspect(order.instance);
  const [finding, alive] = await Promise.all([readiness(state, order), liveness(state, order)]);
  const { pid, started_at, restart_count, exit_code, exit_signal, oom_killed, running } = state;
  return {
    ...{ at_ms, running, pid, started_at, restart_count, exit_code, exit_signal, oom_killed, alive },
    healthy: finding.healthy,
    reason: finding.reason,
    answered: finding.http_status != null || (finding.probe === 'command' && finding.returncode != null),
    reported_build_sha: finding.reported_build_sha ?? null,
  };
}

/** Row D5: the same look, as it is shown to a person who asks how a service is. */
export async function checkHealth(order: SampleOrder): Promise<ProbeResult> {
  const state = await order.driver.inspect(order.instance);
  const { healthy, probe, reason, returncode, http_status, command } = await readiness(state, order);
  return {
    ...{ healthy, running: state.running, pid: state.pid, probe, reason, checked_at: new Date().toISOString() },
    ...{ returncode: returncode ?? null, http_status: http_status ?? null, command: command ?? null },
  };
}

function readiness(state: InstanceState, order: SampleOrder): Finding | Promise<Finding> {
  const { http, command } = order.instance.spec.probes;
  const { traffic } = order.instance.spec;
  if (order.via === 'instance' || http === undefined || traffic === undefined) {
    return look(state, order.instance.spec.probes, order);
  }
  return look(state, { command, http: { url: throughSwitch(http.url, traffic.listen) } }, order);
}

/** Always of the instance itself, since that is what would be started again. */
async function liveness(state: InstanceState, order: SampleOrder): Promise<boolean> {
  const { liveness: probes } = order.instance.spec.probes;
  return probes === undefined ? state.running : (await look(state, probes, order)).healthy;
}

async function look(state: InstanceState, { command, http }: Probes, order: SampleOrder): Promise<Finding> {
  const { timeout_ms } = order.instance.spec.probes;
  if (!state.running) return notRunning(state);
  if (command !== undefined) return probeCommand(command.argv, timeout_ms, order);
  if (http !== undefined) return { probe: 'http', ...(await probeHttp(http.url, timeout_ms, order.signal)) };
  return { healthy: true, probe: 'process', reason: 'process_running' };
}

/** A program ended by signal n counts as one that exited with 128 + n, as in a shell. */
function notRunning({ exit_code, exit_signal }: InstanceState): Finding {
  const signal = exit_signal === null ? undefined : constants.signals[exit_signal as NodeJS.Signals];
  const returncode = exit_code ?? (signal === undefined ? null : 128 + signal);
  const reason = returncode === null ? 'process_not_running' : `process_exited:${returncode}`;
  return { healthy: false, probe: 'process', reason, returncode };
}

async function probeCommand(
  command: ProbeResult['command'] & object,
  timeout_ms: number,
  { driver, instance, signal }: SampleOrder,
): Promise<Finding> {
  const asked = { healthy: false, probe: 'command', command } as const;
  try {
    const { exit_code: returncode, timed_out } = await driver.runProbe(instance, command, { timeout_ms, signal });
    if (timed_out) return { ...asked, reason: 'command_timeout' };
    if (returncode === 0) return { ...asked, healthy: true, reason: 'command_ok', returncode };
    return { ...asked, reason: `command_exit:${returncode}`, returncode };
  } catch (error) {
    signal.throwIfAborted();
    const { code, name } = error as NodeJS.ErrnoException;
    return { ...asked, reason: `command_error:${code ?? name}` };
  }
}

type Dependency = ServiceSpec['dependencies'][number];
export type DependencyProbe = (dependency: Dependency, timeout_ms: number, signal: AbortSignal) => Promise<boolean>;

/** Is it up? Over HTTP anything that answers below 500 is; a port that takes a connection is. Throws when called off. */
export async function probeDependency(
  ...[{ http, tcp }, timeout_ms, signal]: Parameters<DependencyProbe>
): Promise<boolean> {
  if (http !== undefined) {
    const { http_status } = await probeHttp(http.url, timeout_ms, signal);
    return http_status !== null && http_status < 500;
  }
  return tcp !== undefined && (await connects(tcp, timeout_ms, signal));
}

function connects(
  { host, port }: Dependency['tcp'] & object,
  timeout_ms: number,
  signal: AbortSignal,
): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    const end = (up: boolean) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      resolve(up);
    };
    const onAbort = () => {
      reject(signal.reason as Error);
      end(false);
    };
    const timer = setTimeout(() => end(false), timeout_ms);
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
    if (signal.aborted) onAbort();
  });
}
