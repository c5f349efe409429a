import { setTimeout as sleep } from 'node:timers/promises';
import { descendantsOf, isAlive, listProcesses, type ProcessIdentity } from './identity.ts';

export interface StopOrder {
  /** The process that was started; it need not live any more. */
  readonly leader: () => ProcessIdentity | null;
  /** Processes that carry the label, wherever they went. */
  readonly members: () => readonly ProcessIdentity[];
  readonly mayStillStart: () => boolean;
  readonly timeout_ms: number;
  readonly signal?: AbortSignal | undefined;
}

/** How long after SIGKILL a process may take to be gone. */
const killTimeoutMs = 10_000;
const periodMs = 40;

/** SIGTERM to all of them, SIGKILL to what is left after the timeout; returns when none is left. */
export async function stopProcesses(order: StopOrder): Promise<void> {
  const known = new Map<string, ProcessIdentity>();
  const termUntil = Date.now() + order.timeout_ms;
  for (;;) {
    order.signal?.throwIfAborted();
    const left = find(order, known);
    if (left.length === 0 && !order.mayStillStart()) return;

    const late = Date.now() > termUntil;
    if (Date.now() > termUntil + killTimeoutMs) throw new Error(`Still there after SIGKILL: ${describe(left)}`);
    for (const process of left) {
      if (late) send(process, 'SIGKILL');
      else if (!known.has(keyOf(process))) askToEnd(process);
      known.set(keyOf(process), process);
    }
    await sleep(Math.min(periodMs, Math.max(1, termUntil - Date.now() + 1)));
  }
}

/** Whom we have once seen stays ours, also when its group leader is gone or it has written over its environment. */
function find(order: StopOrder, known: ReadonlyMap<string, ProcessIdentity>): ProcessIdentity[] {
  const found = new Map(known);
  const leader = order.leader();
  for (const process of [...(leader === null ? [] : familyOf(leader)), ...order.members()]) {
    found.set(keyOf(process), process);
  }
  return [...found.values()].filter(isAlive);
}

/** A group, and a line of descent, is only ours for certain while its leader lives: later the number may be another's. */
function familyOf(leader: ProcessIdentity): ProcessIdentity[] {
  if (!isAlive(leader)) return [];
  const all = listProcesses();
  return [...all.filter(({ pgrp }) => pgrp === leader.pid), ...descendantsOf(leader.pid, all)];
}

function askToEnd(process: ProcessIdentity): void {
  send(process, 'SIGTERM');
  // One that is suspended would never see it.
  send(process, 'SIGCONT');
}

function send(target: ProcessIdentity, signal: NodeJS.Signals): void {
  if (!isAlive(target)) return;
  try {
    process.kill(target.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function keyOf({ pid, start_time }: ProcessIdentity): string {
  return `${pid}.${start_time}`;
}

function describe(processes: readonly ProcessIdentity[]): string {
  return processes.map(({ pid }) => `pid ${pid}`).join(', ') || 'a keeper that does not say what it does';
}
