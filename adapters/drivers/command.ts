import { setTimeout as sleep } from 'node:timers/promises';
import {
  expectedBuildSha,
  type IdentityCheck,
  type Instance,
  type InstanceState,
} from '../../domain/deploy/instance.ts';
import { isPermanentFailure, PermanentFailure } from '../../domain/failures.ts';
import type { ServiceSpec } from '../../domain/service.ts';
import type { GitSource } from '../git/source.ts';
import type { ProcessDriver } from '../process/driver.ts';
import type { Environment } from '../process/inherited-env.ts';
import type { OperatorCommands } from '../process/operator-command.ts';
import { programObstacle } from '../process/programs.ts';
import { parseIdentity, type ReportedIdentity } from './command-identity.ts';
import { createKeptCommands } from './command-kept.ts';
import type { Driver, ResolveOrder, ResolvedRelease } from './driver.ts';
import { resolveInGit } from './git-release.ts';
import type { LogSource } from './log-source.ts';

export interface CommandDriverDeps {
  /** On a root of its own: a command is not an instance of the service. */
  readonly processes: ProcessDriver;
  readonly commands: OperatorCommands;
  readonly git: Pick<GitSource, 'fetch' | 'resolve'>;
  /** Of what the commands under `processes` say. */
  readonly logs: LogSource | null;
  /** The worker's environment. */
  readonly env: Environment;
}

const identityTimeoutMs = 10_000;
const pollMs = 200;

/** Row D1, `command`: deploying is what the operator's own programs do. Holdfast calls them, once each, and looks. */
export function createCommandDriver({ processes, commands, git, logs, env }: CommandDriverDeps): Driver {
  const kept = createKeptCommands({ processes, commands, logs });

  /** What the operator says that runs. null: nobody can say now, because there is no such command or it did not answer. */
  async function reported(instance: Instance, signal?: AbortSignal): Promise<ReportedIdentity | null> {
    const { service, spec } = instance;
    const argv = spec.commands?.identity;
    if (argv === undefined) return null;
    const timeout_ms = Math.min(identityTimeoutMs, spec.commands?.timeout_ms ?? identityTimeoutMs);
    const order = { service, name: 'identity', argv, env: commandEnv(instance), timeout_ms, signal };
    const result = await commands.run(order).catch((error: unknown) => {
      if (isPermanentFailure(error)) return null;
      throw error;
    });
    return result === null || result.timed_out ? null : parseIdentity(result);
  }

  async function inspect(instance: Instance): Promise<InstanceState> {
    const command = await processes.inspect(instance.service, instance.instance);
    const found = await reported(instance);
    if (found !== null) return { ...command, ...stateReported(found), exists: command.exists || found.running };
    // Without anybody to ask, a deploy that went well and was not stopped since is one that runs.
    const stopped = await processes.inspect(instance.service, stopName(instance));
    const running = !command.running && command.exit_code === 0 && stopped.exit_code !== 0;
    return { ...command, running, pid: null, ...(running ? { exit_code: null, exit_signal: null } : {}) };
  }

  /** Once for ever under this name: a worker that comes back finds the same command at work, or how it ended. */
  async function start(instance: Instance, signal: AbortSignal): Promise<InstanceState> {
    const name = instance.role === 'rollback' ? 'rollback' : 'deploy';
    const argv = instance.spec.commands?.[name];
    if (argv === undefined) throw new PermanentFailure('RunSpecInvalid', `${instance.service} has no commands.${name}`);
    const known = await processes.inspect(instance.service, instance.instance);
    const previous = known.exists ? null : await runningRelease(instance, signal);
    const own = { ...commandEnv(instance), ...(previous === null ? {} : { HOLDFAST_PREVIOUS_RELEASE_ID: previous }) };
    await kept.run({ ...target(instance), name, argv, env: own, signal });
    return inspect(instance);
  }

  /** What is there before the change. */
  async function runningRelease(instance: Instance, signal: AbortSignal): Promise<string | null> {
    const found = await reported(instance, signal);
    return found?.release_id === instance.release_id ? null : (found?.release_id ?? null);
  }

  async function stop(instance: Instance, signal: AbortSignal): Promise<InstanceState> {
    const { service, spec } = instance;
    const command = await processes.inspect(service, instance.instance);
    // What a command that has ended left behind is the service: only the operator's own command knows how to end that.
    if (command.running || !command.exists) {
      await processes.stop(service, instance.instance, { timeout_ms: spec.run.stop_timeout_ms, signal });
    }
    const argv = spec.commands?.stop;
    if (argv === undefined) return inspect(instance);
    const order = { ...target(instance), instance: stopName(instance), name: 'stop', argv, signal };
    await kept.runAgain({ ...order, env: commandEnv(instance) });
    return untilGone(instance, signal);
  }

  async function untilGone(instance: Instance, signal: AbortSignal): Promise<InstanceState> {
    const deadline = Date.now() + instance.spec.run.stop_timeout_ms;
    for (;;) {
      const state = await inspect(instance);
      if (!state.running || Date.now() > deadline) return state;
      await sleep(pollMs, undefined, { signal });
    }
  }

  async function identity(instance: Instance): Promise<IdentityCheck[]> {
    if (instance.spec.commands?.identity === undefined) return [];
    const found = await reported(instance);
    if (found === null) return [{ check: 'release', ok: false, reason: 'commands.identity did not answer' }];
    const checks = [releaseCheck(found, instance.release_id)];
    const expected = expectedBuildSha(instance);
    if (expected === null || found.build_sha === null) return checks;
    const ok = found.build_sha === expected;
    return [...checks, { check: 'build_sha', ok, reason: ok ? 'same' : `it says ${found.build_sha}` }];
  }

  /** With a git source releases are its commits; without one they are whatever the operator calls them. */
  async function resolve(order: ResolveOrder): Promise<ResolvedRelease> {
    const { service, spec, wanted } = order;
    if (spec.source !== undefined && 'git' in spec.source) return resolveInGit(git, order);
    if (wanted !== null) return { release_id: wanted, branch: null, committed_at: null };
    const message = `${service} has no source to take a release from: name it, --release`;
    throw new PermanentFailure('ReleaseUnknown', message);
  }

  return {
    resolve,
    build: () => Promise.resolve({ digest: '', schema_version: null, schema_reads_to: null }),
    // The bits are the operator's to keep.
    verify: () => Promise.resolve('ok'),
    removeRelease: () => Promise.resolve(),
    obstacles: (spec) => obstacles(spec, spec.run.env['PATH'] ?? env['PATH'] ?? ''),
    start,
    inspect,
    stop,
    // Nothing of ours runs once a command has ended.
    alive: () => Promise.resolve([]),
    pruneInstances: (service, keep) => processes.prune(service, [...keep, ...keep.map((each) => `${each}.stop`)]),
    identity,
    async runProbe(instance, argv, { timeout_ms, signal }) {
      const order = { service: instance.service, name: 'probe', argv, timeout_ms, signal };
      const { exit_code, timed_out } = await commands.run({ ...order, env: commandEnv(instance) });
      return { exit_code, timed_out };
    },
    logs,
  };
}

function target({ service, instance, release_id, spec }: Instance) {
  return { service, instance, release_id, timeout_ms: spec.commands?.timeout_ms ?? 600_000 };
}

function stopName({ instance }: Instance): string {
  return `${instance}.stop`;
}

/** What every command of the operator is told. No shell reads it. */
function commandEnv({ service, release_id, deploy_id, run_id, role, spec }: Instance): Record<string, string> {
  return {
    ...spec.run.env,
    HOLDFAST_SERVICE: service,
    HOLDFAST_RELEASE_ID: release_id,
    HOLDFAST_DEPLOY_ID: deploy_id,
    HOLDFAST_RUN_ID: run_id,
    HOLDFAST_STEP: role,
  };
}

function releaseCheck({ running, release_id }: ReportedIdentity, asked: string): IdentityCheck {
  if (!running) return { check: 'release', ok: false, reason: 'it does not run' };
  const ok = release_id === asked;
  return { check: 'release', ok, reason: ok ? 'same' : `it says ${release_id ?? 'no release id'}` };
}

function stateReported(found: ReportedIdentity) {
  const { running, pid, started_at, restart_count, exit_code } = found;
  return { running, pid, started_at, restart_count, exit_code, exit_signal: null };
}

async function obstacles({ commands, probes }: ServiceSpec, searchPath: string): Promise<string[]> {
  const programs: (readonly [string, readonly string[] | undefined])[] = [
    ...(['deploy', 'rollback', 'stop', 'identity', 'releases', 'logs'] as const).map(
      (name) => [`commands.${name}`, commands?.[name]] as const,
    ),
    ['probes.command.argv', probes.command?.argv],
    ['probes.liveness.command.argv', probes.liveness?.command?.argv],
  ];
  const found = programs.map(async ([field, argv]) => {
    const obstacle = argv?.[0] === undefined ? null : await programObstacle(argv[0], searchPath);
    return obstacle === null ? [] : [`${obstacle}: install it or change ${field}`];
  });
  return (await Promise.all(found)).flat();
}
