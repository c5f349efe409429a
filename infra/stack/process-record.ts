import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { identityOf, isAlive, type ProcessIdentity } from '../../adapters/process/identity.ts';
import { writeAtomically, type Home } from './home.ts';

// Which processes the stack started: run/<part>.json. By pid, start time and boot id, so a reused pid is never stopped.

interface ProcessRecord extends ProcessIdentity {
  readonly part: string;
  readonly stop_signal: NodeJS.Signals;
}

const killAfterMs = 15_000;

export async function recordProcess(home: Home, part: string, pid: number, stop_signal: NodeJS.Signals): Promise<void> {
  const identity = identityOf(pid);
  if (identity === null) return;
  await writeAtomically(recordPath(home, part), JSON.stringify({ part, stop_signal, ...identity }));
}

export async function forgetProcess(home: Home, part: string): Promise<void> {
  await rm(recordPath(home, part), { force: true });
}

/** Ends what an earlier supervisor left running when it was killed. Returns the parts that were. */
export async function stopLeftovers(home: Home): Promise<string[]> {
  const records = readdirSync(home.run)
    .filter((name) => name.startsWith('process-'))
    .map((name) => read(join(home.run, name)))
    .filter((record) => record !== null);
  const living = records.filter(isAlive);
  // What uses the servers first, then the servers.
  for (const part of ['api', 'worker', 'temporal', 'postgres']) {
    const record = living.find((found) => found.part === part);
    if (record !== undefined) await endProcess(record, record.stop_signal);
  }
  for (const { part } of records) if (part !== 'supervisor') await forgetProcess(home, part);
  return living.map(({ part }) => part).filter((part) => part !== 'supervisor');
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

function recordPath(home: Home, part: string): string {
  return join(home.run, `process-${part}.json`);
}

function read(path: string): ProcessRecord | null {
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as ProcessRecord) : null;
}
