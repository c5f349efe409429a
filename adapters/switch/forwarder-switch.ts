import { createHash } from 'node:crypto';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TrafficSpec } from '../../domain/service.ts';
import { serviceFolder } from '../files/service-folder.ts';
import type { ProcessDriver } from '../process/driver.ts';
import { labelOf } from '../process/identity.ts';
import { listenersInTheWay } from '../process/listeners.ts';
import {
  readStatus,
  readWanted,
  wantedPath,
  writeWhole,
  type ForwarderStatus,
  type Wanted,
} from './forwarder-files.ts';
import { portInUse, refusedListen } from './refusals.ts';
import type { TrafficSwitch } from './switch.ts';

export interface ForwarderSwitchOptions {
  /** On `root`, which is a folder of its own: so no deploy takes a forwarder for an instance of the service. */
  readonly processes: ProcessDriver;
  readonly root: string;
  /** The compiled forwarder.js. */
  readonly forwarderPath: string;
}

const answerTimeoutMs = 10_000;
const periodMs = 15;
const drainPeriodMs = 50;
const dyingMs = 1_000;
const longestStopMs = 10_000;
/** Small, and no more than that even if a client tries; and as liberal with headers as most servers are. */
const nodeOptions = ['--max-old-space-size=192', '--max-semi-space-size=4', '--max-http-header-size=65536'];

/**
 * Row D11: Holdfast's own switch, one forwarder a service, under a keeper. Forwarders are numbered: each is started once,
 * the newest that runs counts, and of two attempts that start one at the same time both start the same.
 */
export function createForwarderSwitch({ processes, root, forwarderPath }: ForwarderSwitchOptions): TrafficSwitch {
  const folderOf = (service: string) => serviceFolder(root, service);
  // The labels of processes are seen on the whole machine, so the name tells this folder from another Holdfast's.
  const named = (service: string, number: number) => `${prefixOf(folderOf(service))}${number}`;

  async function running(service: string): Promise<string | null> {
    const alive = await processes.alive(service);
    const numbers = alive.map(({ instance }) => numberIn(instance)).filter((number) => number !== null);
    return numbers.length === 0 ? null : named(service, Math.max(...numbers));
  }

  /**
   * The forwarder of ours that holds the port and is not in the books any more; null when the port is free. Throws when it
   * is somebody else's.
   */
  async function holderOf(service: string, listen: TrafficSpec['listen']): Promise<string | null> {
    const prefix = prefixOf(folderOf(service));
    // One that was just killed holds its port for another moment, and then does not show whose it is.
    const deadline = Date.now() + dyingMs;
    for (;;) {
      const [holder] = listenersInTheWay(listen.host, listen.port);
      if (holder === undefined) return null;
      const label = holder.pid === null ? null : labelOf(holder.pid, 'HOLDFAST_INSTANCE');
      if (label?.startsWith(prefix) === true) {
        await mkdir(join(folderOf(service), 'instances', label), { recursive: true, mode: 0o700 });
        return label;
      }
      if (Date.now() > deadline) throw portInUse(listen, holder.pid);
      await sleep(periodMs);
    }
  }

  /** What it says of itself once it listens; throws what keeps it from that. */
  async function statusOf(service: string, instance: string, isEnough: (status: ForwarderStatus) => boolean) {
    const deadline = Date.now() + answerTimeoutMs;
    for (;;) {
      // Asked first: one that ends says why before it does.
      const { running: runs, exit_code, pid } = await processes.inspect(service, instance);
      const status = readStatus(folderOf(service), instance);
      if (status?.error != null) throw refusedListen(status.listen, status.error);
      if (status !== null && isEnough(status)) return status;
      const which = `The forwarder of ${service} (${join(folderOf(service), 'instances', instance)})`;
      if (!runs) throw new Error(`${which} ended with exit code ${exit_code}; see its log`);
      if (Date.now() > deadline) throw new Error(`${which}, pid ${pid}, has not answered for ${answerTimeoutMs} ms`);
      await sleep(periodMs);
    }
  }

  async function start(service: string, { listen }: TrafficSpec, instance: string): Promise<boolean> {
    const folder = folderOf(service);
    const argv = [process.execPath, ...nodeOptions, forwarderPath, folder, instance, listen.host, String(listen.port)];
    const state = await processes.start({ service, release_id: 'forwarder', instance, argv, cwd: folder, env: {} });
    return state.running;
  }

  /** A number that somebody else is just starting is started by both, which makes one; one that has ended is over. */
  async function startNewest(service: string, traffic: TrafficSpec): Promise<string> {
    const newest = Math.max(1, ...(await numbersIn(join(folderOf(service), 'instances'))));
    if (await start(service, traffic, named(service, newest))) return named(service, newest);
    await start(service, traffic, named(service, newest + 1));
    return named(service, newest + 1);
  }

  /** For a `listen` that was edited: the old one lets go of its port as soon as it is told to end. */
  async function replace(service: string, traffic: TrafficSpec, old: string): Promise<string> {
    await holderOf(service, traffic.listen);
    const next = named(service, (numberIn(old) ?? 0) + 1);
    const timeout_ms = Math.min(traffic.drain_ms, longestStopMs);
    await Promise.all([processes.stop(service, old, { timeout_ms }), start(service, traffic, next)]);
    return next;
  }

  async function fit(service: string, traffic: TrafficSpec, there: string): Promise<string> {
    const { listen } = await statusOf(service, there, () => true);
    return sameAddress(listen, traffic.listen) ? there : replace(service, traffic, there);
  }

  /** Returns the epoch to wait for; what is wanted already is not wanted again. */
  async function want(service: string, change: Omit<Wanted, 'epoch'>): Promise<number> {
    const last = readWanted(folderOf(service));
    const same = last?.port === change.port && last.cut === change.cut && last.drain_ms === change.drain_ms;
    if (same) return last.epoch;
    const epoch = (last?.epoch ?? 0) + 1;
    await mkdir(folderOf(service), { recursive: true, mode: 0o700 });
    writeWhole(wantedPath(folderOf(service)), { epoch, ...change }, { flush: true });
    return epoch;
  }

  async function point(service: string, traffic: TrafficSpec, port: number): Promise<void> {
    const there = (await running(service)) ?? (await holderOf(service, traffic.listen));
    const last = readWanted(folderOf(service));
    // Before anything is started, so that a forwarder begins with it.
    const cut = last?.port === port && last.cut;
    const epoch = await want(service, { port, drain_ms: traffic.drain_ms, cut });
    const instance = await (there === null ? startNewest(service, traffic) : fit(service, traffic, there));
    await statusOf(service, instance, (status) => status.listening && status.epoch >= epoch && status.port === port);
    await removeEnded(service, instance);
  }

  /** Where that fails, or another attempt does the same now, the next point() does it. */
  async function removeEnded(service: string, current: string): Promise<void> {
    const numbers = await numbersIn(join(folderOf(service), 'instances'));
    const kept = numbers.filter((number) => number >= (numberIn(current) ?? 0));
    const names = kept.map((number) => named(service, number));
    await processes.prune(service, names).catch(() => undefined);
  }

  async function current(service: string, traffic: TrafficSpec): Promise<number | null> {
    const instance = await running(service);
    // Also looks after its keeper.
    if (instance === null || !(await processes.inspect(service, instance)).running) return null;
    const status = readStatus(folderOf(service), instance);
    return status?.listening === true && sameAddress(status.listen, traffic.listen) ? status.port : null;
  }

  async function drain(service: string, { drain_ms }: TrafficSpec, signal: AbortSignal): Promise<{ cut: number }> {
    const deadline = Date.now() + drain_ms;
    for (;;) {
      signal.throwIfAborted();
      const instance = await running(service);
      const status = instance === null ? null : readStatus(folderOf(service), instance);
      // With a forwarder all that went through it has ended.
      if (instance === null || status === null) return { cut: 0 };
      if (status.in_flight_elsewhere === 0) return { cut: status.cut };
      if (Date.now() >= deadline) return cutRest(service, instance);
      await sleep(drainPeriodMs, undefined, { signal });
    }
  }

  async function cutRest(service: string, instance: string): Promise<{ cut: number }> {
    const wanted = readWanted(folderOf(service));
    if (wanted === null) return { cut: 0 };
    const { port, drain_ms } = wanted;
    const epoch = await want(service, { port, drain_ms, cut: true });
    const { cut } = await statusOf(service, instance, (status) => status.epoch >= epoch);
    return { cut };
  }

  async function remove(service: string, { drain_ms }: TrafficSpec): Promise<void> {
    const timeout_ms = Math.min(drain_ms, longestStopMs);
    for (const { instance } of await processes.alive(service)) await processes.stop(service, instance, { timeout_ms });
    await rm(folderOf(service), { recursive: true, force: true, maxRetries: 5 });
  }

  return { current, point, drain, remove };
}

function prefixOf(folder: string): string {
  return `forwarder-${createHash('sha256').update(folder).digest('hex').slice(0, 12)}-`;
}

function numberIn(instance: string): number | null {
  const digits = /^forwarder-[0-9a-f]{12}-(\d+)$/.exec(instance)?.[1];
  return digits === undefined ? null : Number(digits);
}

async function numbersIn(folder: string): Promise<number[]> {
  const names = await readdir(folder).catch(() => []);
  return names.map(numberIn).filter((number) => number !== null);
}

function sameAddress(one: TrafficSpec['listen'], other: TrafficSpec['listen']): boolean {
  return one.host === other.host && one.port === other.port;
}
