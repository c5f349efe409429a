import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { mkdir, readFile, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { InstanceState } from '../../domain/deploy/instance.ts';
import { serviceFolder } from '../files/service-folder.ts';
import { findLabelled, findProcess, isAlive, labelOf, startedAt, topOf } from './identity.ts';
import type { ProcessEntry, ProcessIdentity } from './identity.ts';
import { inheritedEnv, type Environment } from './inherited-env.ts';
import { askToStop, currentKeeper, identityIn, keeperIsAlive, readState, type StoredState } from './instance-folder.ts';
import type { KeeperOrder } from './keeper.ts';
import type { LogLimits } from './log-segments.ts';
import { stopProcesses } from './stop.ts';

export interface ProcessDriverOptions {
  /** The home's services folder. */
  readonly root: string;
  /** The compiled keeper.js. */
  readonly keeperPath: string;
  /** The worker's environment. */
  readonly env: Environment;
  readonly log?: LogLimits;
}

export interface StartRequest {
  readonly service: string;
  readonly release_id: string;
  /** Names this start for ever; starting the same instance again finds it instead of making a second one. */
  readonly instance: string;
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

export interface RunningInstance {
  readonly instance: string;
  readonly pid: number;
}

const defaultLog: LogLimits = { segment_bytes: 10 * 1024 * 1024, segments: 5 };
const startTimeoutMs = 10_000;
const lastWordMs = 2_000;

/** Row D1, `process`: programs that outlive the worker, each under a keeper, found again by their labels and state files. */
export function createProcessDriver({ root, keeperPath, env, log = defaultLog }: ProcessDriverOptions) {
  const instances = (service: string) => join(serviceFolder(root, service), 'instances');

  function folderOf(service: string, instance: string): string {
    const named = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(instance);
    if (!named) throw new Error(`Not the name of an instance: ${JSON.stringify(instance)}`);
    return join(instances(service), instance);
  }

  function labelled(service: string, instance: string) {
    return findLabelled({ HOLDFAST_SERVICE: service, HOLDFAST_INSTANCE: instance });
  }

  function program({ service, instance, release_id, argv, cwd, env: own }: StartRequest): KeeperOrder['program'] {
    const labels = { HOLDFAST_SERVICE: service, HOLDFAST_INSTANCE: instance, HOLDFAST_RELEASE: release_id };
    return { argv, cwd, env: { ...inheritedEnv(env), ...own, ...labels } };
  }

  /** Of any number of keepers of an instance one works; the others see that and end. */
  function startKeeper(folder: string, order: KeeperOrder): { readonly ended: () => boolean } {
    const errors = openSync(join(folder, 'keeper.err'), 'a', 0o600);
    const keeper = spawn(process.execPath, ['--max-old-space-size=32', keeperPath, folder], {
      cwd: folder,
      env: { ...inheritedEnv(env), HOLDFAST_KEEPER: folder },
      detached: true,
      stdio: ['pipe', 'ignore', errors],
    });
    closeSync(errors);
    let ended = false;
    keeper.once('exit', () => (ended = true));
    keeper.once('error', () => (ended = true));
    // A keeper that dies before it has read its order is noticed by the missing state.
    keeper.stdin?.on('error', () => undefined);
    keeper.stdin?.end(JSON.stringify(order));
    keeper.unref();
    return { ended: () => ended };
  }

  async function waitForState(folder: string, order: KeeperOrder): Promise<void> {
    const deadline = Date.now() + startTimeoutMs;
    let keeper = startKeeper(folder, order);
    while (readState(folder) === null) {
      if (Date.now() > deadline)
        throw new Error(`The keeper did not start ${order.instance}${await lastError(folder)}`);
      await sleep(20);
      if (keeper.ended() && !keeperIsAlive(folder) && readState(folder) === null) keeper = startKeeper(folder, order);
    }
  }

  /** Looks first: an instance that was started before is left as it is, whether it still runs or not. */
  async function start(request: StartRequest): Promise<InstanceState> {
    const { service, instance } = request;
    if (request.argv.length === 0) throw new Error(`${service} has no program to run`);
    const folder = folderOf(service, instance);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    if (readState(folder) === null) {
      await waitForState(folder, { service, instance, log, program: program(request) });
    }
    return inspect(service, instance);
  }

  async function inspect(service: string, instance: string): Promise<InstanceState> {
    const folder = folderOf(service, instance);
    const state = readState(folder);
    const identity = identityIn(state);
    if (state === null) return withoutState(folder, topOf(labelled(service, instance))[0] ?? null);
    if (identity === null || state.exited_at !== null) return ended(state);
    if (!isAlive(identity)) return ended(await lastWord(folder, state));
    // Without a keeper the program would block as soon as its output fills the pipe.
    if (!keeperIsAlive(folder)) startKeeper(folder, { service, instance, log, program: null });
    return running(identity, state.started_at);
  }

  async function stop(
    service: string,
    instance: string,
    { timeout_ms, signal }: { readonly timeout_ms: number; readonly signal?: AbortSignal | undefined },
  ): Promise<InstanceState> {
    const folder = folderOf(service, instance);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    askToStop(folder);
    await stopProcesses({
      leader: () => identityIn(readState(folder)),
      members: () => labelled(service, instance),
      // A keeper that has not said yet whether it started anything may be about to.
      mayStillStart: () => readState(folder) === null && keeperIsAlive(folder),
      timeout_ms,
      signal,
    });
    return inspect(service, instance);
  }

  /** Every process of the service whose parent is not of the same instance. Of this home: its instance has a folder here. */
  async function alive(service: string): Promise<RunningInstance[]> {
    const labels = findLabelled({ HOLDFAST_SERVICE: service }).map((entry) => ({
      entry,
      instance: labelOf(entry.pid, 'HOLDFAST_INSTANCE'),
    }));
    return (await namesIn(instances(service))).flatMap((instance) => {
      const leader = leaderOf(join(instances(service), instance));
      const members = labels.filter((label) => label.instance === instance).map(({ entry }) => entry);
      const others = members.filter(({ pid }) => pid !== leader?.pid);
      return topOf(leader === null ? others : [leader, ...others]).map(({ pid }) => ({ instance, pid }));
    });
  }

  /** Removes what is left of instances that no longer run, their logs too, but for those in `keep`. */
  async function prune(service: string, keep: readonly string[]): Promise<void> {
    const living = new Set((await alive(service)).map(({ instance }) => instance));
    for (const name of await namesIn(instances(service))) {
      if (!keep.includes(name) && !living.has(name)) await forget(service, name);
    }
  }

  /** Removes what is known of an instance, so that its name can be used again; not while it runs or is being started. */
  async function forget(service: string, instance: string): Promise<void> {
    const folder = folderOf(service, instance);
    const done = readState(folder)?.exited_at != null || !keeperIsAlive(folder);
    if (!done || !existsSync(folder)) return;
    // Out of the way whole first: whoever reads its log sees all of it or none.
    const forgotten = join(serviceFolder(root, service), 'forgotten');
    await mkdir(forgotten, { recursive: true, mode: 0o700 });
    await rm(join(forgotten, instance), { recursive: true, force: true });
    await rename(folder, join(forgotten, instance));
    await rm(forgotten, { recursive: true, force: true });
  }

  /** Is this process, or one that it comes from, of an instance of the service, and of this home? */
  async function owns(service: string, pid: number): Promise<boolean> {
    const names = await namesIn(instances(service));
    const leaders = new Set(names.map((name) => leaderOf(join(instances(service), name))?.pid));
    for (let at = findProcess(pid); at !== null && at.pid > 1; at = findProcess(at.ppid)) {
      const label = labelOf(at.pid, 'HOLDFAST_SERVICE') === service ? labelOf(at.pid, 'HOLDFAST_INSTANCE') : null;
      if (leaders.has(at.pid) || (label !== null && names.includes(label))) return true;
    }
    return false;
  }

  /** Where the program was started; null when it never was. */
  function workingFolder(service: string, instance: string): string | null {
    return readState(folderOf(service, instance))?.cwd ?? null;
  }

  return { start, inspect, stop, alive, prune, forget, owns, workingFolder };
}

export type ProcessDriver = ReturnType<typeof createProcessDriver>;

const notThere: InstanceState = {
  exists: false,
  running: false,
  pid: null,
  container_id: null,
  started_at: null,
  restart_count: 0,
  exit_code: null,
  exit_signal: null,
  oom_killed: false,
};

/** Some programs write over their environment, and so their labels; the state file knows the first of them all the same. */
function leaderOf(folder: string): ProcessEntry | null {
  const leader = identityIn(readState(folder));
  return leader !== null && isAlive(leader) ? findProcess(leader.pid) : null;
}

/** A program that has just ended leaves its keeper a moment to write down how. */
async function lastWord(folder: string, state: StoredState): Promise<StoredState> {
  const deadline = Date.now() + lastWordMs;
  let latest = state;
  while (latest.exited_at === null && keeperIsAlive(folder) && Date.now() < deadline) {
    await sleep(20);
    latest = readState(folder) ?? latest;
  }
  // The keeper may have written it and ended in between.
  return readState(folder) ?? latest;
}

async function lastError(folder: string): Promise<string> {
  const text = await readFile(join(folder, 'keeper.err'), 'utf8').catch(() => '');
  return text === '' ? '' : `: ${text.slice(-500).trim()}`;
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function running({ pid }: ProcessIdentity, started_at: string | null): InstanceState {
  return { ...notThere, exists: true, running: true, pid, started_at };
}

function ended({ started_at, restart_count, exit_code, exit_signal }: StoredState): InstanceState {
  return { ...notThere, exists: true, started_at, restart_count, exit_code, exit_signal };
}

function withoutState(folder: string, orphan: ProcessIdentity | null): InstanceState {
  if (orphan !== null) return running(orphan, startedAt(orphan));
  return { ...notThere, exists: currentKeeper(folder) !== null };
}
