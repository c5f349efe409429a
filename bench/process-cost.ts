import { readFileSync } from 'node:fs';
import { familyOf } from './memory.ts';

interface Cost {
  /** Of all its processes, also of those that have ended. */
  readonly cpu_ms: number;
  readonly rss_mb: number;
}

/** By part, since it began. This process is the worker, with what it started besides the parts. */
export type Costs = Readonly<Record<string, Cost>>;

export function costsOf(parts: readonly { readonly name: string; readonly pid: number }[]): Costs {
  const families = parts.map(({ name, pid }) => [name, familyOf(pid)] as const);
  const theirs = new Set(families.flatMap(([, pids]) => pids));
  const parsers = familyOf(process.pid).filter((pid) => pid !== process.pid && !theirs.has(pid));
  const own = statOf(process.pid);
  return {
    worker: { cpu_ms: own.own_ms, rss_mb: own.rss_mb },
    // Those that have ended are counted with this process, and nothing else of it ends.
    parsers: add({ cpu_ms: own.ended_ms, rss_mb: 0 }, sumOf(parsers)),
    ...Object.fromEntries(families.map(([name, pids]) => [name, sumOf(pids)] as const)),
  };
}

export function totalCpuMs(costs: Costs): number {
  return Object.values(costs).reduce((sum, { cpu_ms }) => sum + cpu_ms, 0);
}

function sumOf(pids: readonly number[]): Cost {
  const all = pids.map(statOf).map(({ own_ms, ended_ms, rss_mb }) => ({ cpu_ms: own_ms + ended_ms, rss_mb }));
  return all.reduce(add, { cpu_ms: 0, rss_mb: 0 });
}

function add(one: Cost, other: Cost): Cost {
  return { cpu_ms: one.cpu_ms + other.cpu_ms, rss_mb: one.rss_mb + other.rss_mb };
}

/** In /proc, time is counted in hundredths of a second and memory in pages of 4 kB. */
function statOf(pid: number): { own_ms: number; ended_ms: number; rss_mb: number } {
  const [user = 0, system = 0, endedUser = 0, endedSystem = 0, , , , , , , pages = 0] = fieldsOf(pid);
  return {
    own_ms: (user + system) * 10,
    ended_ms: (endedUser + endedSystem) * 10,
    rss_mb: Math.round((pages * 4) / 1024),
  };
}

/** From the user time on; none when it has ended. */
function fieldsOf(pid: number): readonly number[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields.slice(11).map(Number);
  } catch {
    return [];
  }
}
