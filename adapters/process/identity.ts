import { readFileSync, readdirSync } from 'node:fs';

/** One process for ever: a pid is used again, and start times begin again at each boot. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot, field 22 of /proc/<pid>/stat. */
  readonly start_time: number;
  readonly boot_id: string;
}

export interface ProcessEntry extends ProcessIdentity {
  readonly ppid: number;
  readonly pgrp: number;
}

export type Labels = Readonly<Record<string, string>>;

// USER_HZ, which Linux fixes at 100 for everything that /proc shows.
const ticksPerSecond = 100;

export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** The process that has this pid now; null when there is none or it is a zombie. */
export function findProcess(pid: number): ProcessEntry | null {
  const fields = statFields(pid);
  if (fields === null || fields[0] === 'Z' || fields[0] === 'X') return null;
  return { ...identityFrom(pid, fields), ppid: Number(fields[1]), pgrp: Number(fields[2]) };
}

/** Also of a zombie, so that a parent can tell who its child was even when it has ended already. */
export function identityOf(pid: number): ProcessIdentity | null {
  const fields = statFields(pid);
  return fields === null ? null : identityFrom(pid, fields);
}

export function isAlive(identity: ProcessIdentity): boolean {
  const now = findProcess(identity.pid);
  return now !== null && now.start_time === identity.start_time && now.boot_id === identity.boot_id;
}

/**
 * ISO time. The same for whoever asks and whenever: another start time would mean another start. The kernel gives the
 * time of boot in whole seconds, so it is early by less than one.
 */
export function startedAt({ start_time }: ProcessIdentity): string {
  const bootSeconds = Number(/^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1]);
  return new Date((bootSeconds + start_time / ticksPerSecond) * 1_000).toISOString();
}

/** Every process with all of these variables in the environment it was started with. */
export function findLabelled(labels: Labels): ProcessEntry[] {
  const wanted = Object.entries(labels).map(([name, value]) => `\0${name}=${value}\0`);
  return listProcesses((environment) => wanted.every((label) => environment.includes(label)));
}

/** The children of a process, their children, and so on; without those whose parent is gone. */
export function descendantsOf(pid: number, processes: readonly ProcessEntry[]): ProcessEntry[] {
  const found = new Map<number, ProcessEntry>();
  for (let parents = new Set([pid]); parents.size > 0;) {
    const children = processes.filter((entry) => parents.has(entry.ppid) && !found.has(entry.pid));
    for (const child of children) found.set(child.pid, child);
    parents = new Set(children.map((child) => child.pid));
  }
  return [...found.values()];
}

export function listProcesses(accepts: (environment: string) => boolean = () => true): ProcessEntry[] {
  const found: ProcessEntry[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    // Unreadable: another user's, so not ours; or gone meanwhile.
    const environment = readQuietly(`/proc/${name}/environ`);
    if (environment === undefined || !accepts(`\0${environment.toString('utf8')}\0`)) continue;
    const entry = findProcess(Number(name));
    if (entry !== null) found.push(entry);
  }
  return found;
}

/** The environment that a process was started with; null when it cannot be read. Programs may write over it. */
export function environmentOf(pid: number): ReadonlyMap<string, string> | null {
  const text = readQuietly(`/proc/${pid}/environ`)?.toString('utf8');
  if (text === undefined) return null;
  // Of a name that is there twice the first counts, as in getenv(3).
  const entries = text.split('\0').filter((entry) => entry.includes('='));
  return new Map(
    entries.toReversed().map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
  );
}

/** The value of a variable in the environment that a process was started with. */
export function labelOf(pid: number, name: string): string | null {
  return environmentOf(pid)?.get(name) ?? null;
}

/** The argv that a process shows; null when it cannot be read. Programs may write over it. */
export function commandLineOf(pid: number): readonly string[] | null {
  const text = readQuietly(`/proc/${pid}/cmdline`)?.toString('utf8');
  return text === undefined || text === '' ? null : text.replace(/\0$/, '').split('\0');
}

/** The short name of a process, as `ps` shows it; null when there is none. */
export function nameOf(pid: number): string | null {
  return readQuietly(`/proc/${pid}/comm`)?.toString('utf8').trim() ?? null;
}

/** Those whose parent is not among them. */
export function topOf(entries: readonly ProcessEntry[]): ProcessEntry[] {
  const pids = new Set(entries.map(({ pid }) => pid));
  return entries.filter(({ ppid }) => !pids.has(ppid));
}

/** The fields of /proc/<pid>/stat from the third (state) on. */
function statFields(pid: number): string[] | null {
  const stat = readQuietly(`/proc/${pid}/stat`)?.toString('latin1');
  // The program's name stands in parentheses and may hold spaces and parentheses itself; nothing after it does.
  return stat === undefined ? null : stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function identityFrom(pid: number, fields: readonly string[]): ProcessIdentity {
  return { pid, start_time: Number(fields[19]), boot_id: bootId() };
}

function readQuietly(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}
