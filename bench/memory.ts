import { readdirSync, readFileSync } from 'node:fs';

export interface Memory {
  readonly rss_mb: number;
  /** Shared pages counted once among those who share them: what can be added up. */
  readonly pss_mb: number;
}

/** A process with all its descendants: Postgres is many processes that share most of their memory. */
export function memoryOf(pid: number): Memory {
  const family = familyOf(pid);
  const sum = (field: string): number => family.reduce((total, member) => total + kilobytes(member, field), 0);
  return { rss_mb: Math.round(sum('Rss') / 1024), pss_mb: Math.round(sum('Pss') / 1024) };
}

/** It and all its descendants. */
export function familyOf(pid: number): number[] {
  return [pid, ...descendantsOf(pid)];
}

function descendantsOf(pid: number): number[] {
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((other) => parentOf(other) === pid);
  return children.flatMap((child) => [child, ...descendantsOf(child)]);
}

function parentOf(pid: number): number | null {
  const stat = readQuietly(`/proc/${pid}/stat`);
  return stat === null ? null : Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}

function kilobytes(pid: number, field: string): number {
  const rollup = readQuietly(`/proc/${pid}/smaps_rollup`) ?? '';
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1] ?? 0);
}

function readQuietly(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
