import { link, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { identityOf, isAlive, type ProcessIdentity } from '../../adapters/process/identity.ts';
import type { Home } from './home.ts';

/** Another process keeps this data folder's stack. */
export class AlreadyRunning extends Error {
  override readonly name = 'AlreadyRunning';
  constructor(readonly supervisor: ProcessIdentity) {
    super(`Holdfast is already running (process ${supervisor.pid})`);
  }
}

/**
 * One supervisor a data folder: that of the claim with the highest number, if it lives. What a killed one left is taken over
 * with the next number, which is used once, so one that is slow cannot take away the claim of a faster one. Returns what
 * gives it back.
 */
export async function claimSupervision(home: Home): Promise<() => Promise<void>> {
  const mine = join(home.run, `.supervisor-${process.pid}`);
  await writeFile(mine, JSON.stringify(identityOf(process.pid)));
  try {
    for (;;) {
      const last = await lastClaim(home.run);
      const holder = await holderOf(home.run, last);
      if (holder !== null) throw new AlreadyRunning(holder);
      if (!(await isLinked(mine, claimPath(home.run, last + 1)))) continue;
      await forgetBefore(home.run, last + 1);
      return () => writeFile(claimPath(home.run, last + 1), 'null');
    }
  } finally {
    await rm(mine, { force: true });
  }
}

/** The living supervisor of this data folder; null when there is none. */
export async function supervisorOf({ run }: Pick<Home, 'run'>): Promise<ProcessIdentity | null> {
  return holderOf(run, await lastClaim(run));
}

async function holderOf(run: string, claim: number): Promise<ProcessIdentity | null> {
  const text = await readFile(claimPath(run, claim), 'utf8').catch(() => 'null');
  const holder = parse(text);
  return holder !== null && isAlive(holder) ? holder : null;
}

/** Given back half when it was read: given back. */
function parse(text: string): ProcessIdentity | null {
  try {
    return JSON.parse(text) as ProcessIdentity | null;
  } catch {
    return null;
  }
}

/** 0: there was none yet. */
async function lastClaim(run: string): Promise<number> {
  return Math.max(0, ...(await claims(run)));
}

async function forgetBefore(run: string, claim: number): Promise<void> {
  for (const older of await claims(run)) if (older < claim) await rm(claimPath(run, older), { force: true });
}

async function claims(run: string): Promise<number[]> {
  const names = await readdir(run).catch(() => []);
  return names.flatMap((name) => /^supervisor\.(\d+)\.json$/.exec(name)?.[1] ?? []).map(Number);
}

/** A link is made whole or not at all, and only by one of those that try at once. */
async function isLinked(mine: string, path: string): Promise<boolean> {
  try {
    await link(mine, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function claimPath(run: string, claim: number): string {
  return join(run, `supervisor.${claim}.json`);
}
