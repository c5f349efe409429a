import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { identityOf, isAlive, type ProcessIdentity } from '../../adapters/process/identity.ts';
import type { Home } from './home.ts';

// Which processes the stack started: run/<part>.json. By pid, start time and boot id, so a reused pid is never stopped.

interface ProcessRecord extends ProcessIdentity {
  readonly part: string;
  readonly stop_signal: NodeJS.Signals;
}

const killAfterMs = 15_000;

/** In one go with the start, so that a SIGKILL of ours finds no time in between. It ends with the boot: no fsync. */
export function recordProcess(home: Home, part: string, pid: number, stop_signal: NodeJS.Signals): void {
  const identity = identityOf(pid);
  if (identity === null) return;
  const partial = join(home.run, `.process-${part}.partial`);
  writeFileSync(partial, JSON.stringify({ part, stop_signal, ...identity }), { mode: 0o600 });
  renameSync(partial, recordPath(home, part));
}

export async function forgetProcess(home: Pick<Home, 'run'>, part: string): Promise<void> {
  await rm(recordPath(home, part), { force: true });
}

/** Ends what an earlier supervisor left running when it was killed. Returns the parts that were. */
export async function stopLeftovers(home: Pick<Home, 'run'>): Promise<string[]> {
  const records = readdirSync(home.run)
    .filter((name) => /^process-.*\.json$/.test(name))
    .map((name) => read(join(home.run, name)))
    .filter((record) => record !== null);
  const living = records.filter(isAlive);
  // What uses the servers first, then the servers.
  for (const part of ['api', 'worker', 'qdrant', 'temporal', 'postgres']) {
    const record = living.find((found) => found.part === part);
    if (record !== undefined) await endProcess(record, record.stop_signal);
  }
  for (const { part } of records) await forgetProcess(home, part);
  return living.map(({ part }) => part);
}

export async function endProcess(process_: ProcessIdentity, signal: NodeJS.Signals): Promise<void> {
  send(process_, signal);
  const deadline = Date.now() + killAfterMs;
  while (isAlive(process_)) {
    if (Date.now() > deadline) send(process_, 'SIGKILL');
    await sleep(25);
  }
}

function send(target: ProcessIdentity, signal: NodeJS.Signals): void {
  try {
    if (isAlive(target)) process.kill(target.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function recordPath(home: Pick<Home, 'run'>, part: string): string {
  return join(home.run, `process-${part}.json`);
}

/** One that a power cut damaged is of a boot that is over. */
function read(path: string): ProcessRecord | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as ProcessRecord;
  } catch {
    return null;
  }
}
