import { closeSync, existsSync, fsyncSync, linkSync, openSync, readFileSync, readdirSync, unlinkSync } from 'node:fs';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isAlive, type ProcessIdentity } from './identity.ts';

/** state.json: what the keeper knows of its program. `exited_at` is set once nothing will change any more. */
export interface StoredState {
  readonly pid: number | null;
  readonly start_time: number | null;
  readonly boot_id: string | null;
  readonly started_at: string | null;
  readonly exit_code: number | null;
  readonly exit_signal: string | null;
  readonly exited_at: string | null;
  readonly restart_count: 0;
  readonly cwd: string | null;
}

export const neverRan: StoredState = {
  pid: null,
  start_time: null,
  boot_id: null,
  started_at: null,
  exit_code: null,
  exit_signal: null,
  exited_at: null,
  restart_count: 0,
  cwd: null,
};

/** null: nothing was written yet, or what is there cannot be read and the labels in /proc must tell. */
export function readState(folder: string): StoredState | null {
  return readJson(join(folder, 'state.json')) as StoredState | null;
}

/** Called by the holder of the claim only, so one name for the temporary file is enough. */
export function writeState(folder: string, state: StoredState): void {
  const temporary = join(folder, 'state.json.tmp');
  writeDurably(temporary, state);
  renameSync(temporary, join(folder, 'state.json'));
  syncFolder(folder);
}

export function identityIn(state: StoredState | null): ProcessIdentity | null {
  if (state?.pid == null || state.start_time === null || state.boot_id === null) return null;
  return { pid: state.pid, start_time: state.start_time, boot_id: state.boot_id };
}

/** The keeper that holds the instance; null when there was none yet. It may be dead. */
export function currentKeeper(folder: string): ProcessIdentity | null {
  const number = lastClaim(folder);
  return number === null ? null : (readJson(claimPath(folder, number)) as ProcessIdentity | null);
}

export function keeperIsAlive(folder: string): boolean {
  const keeper = currentKeeper(folder);
  return keeper !== null && isAlive(keeper);
}

/**
 * Makes `self` the keeper. Claims are numbered and never removed: of two that saw the same dead keeper, only one can make
 * the next number, and nobody can take away the claim of a living one. Returns the number, null when it is somebody else's.
 */
export function claim(folder: string, self: ProcessIdentity): number | null {
  if (keeperIsAlive(folder)) return null;
  const last = lastClaim(folder);
  const number = last === null ? 0 : last + 1;
  const temporary = join(folder, `claim.${self.pid}.tmp`);
  writeDurably(temporary, self);
  try {
    // A link appears whole or not at all, and never over an earlier one.
    linkSync(temporary, claimPath(folder, number));
    return number;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return null;
    throw error;
  } finally {
    unlinkSync(temporary);
  }
}

/** From now on no keeper starts the program: a start that comes late must not undo a stop. */
export function askToStop(folder: string): void {
  closeSync(openSync(join(folder, 'stop'), 'a', 0o600));
}

export function stopWasAsked(folder: string): boolean {
  return existsSync(join(folder, 'stop'));
}

function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function claimPath(folder: string, number: number): string {
  return join(folder, number === 0 ? 'keeper.json' : `keeper.${number}.json`);
}

function lastClaim(folder: string): number | null {
  const numbers = namesIn(folder)
    .map((name) => /^keeper(?:\.(\d+))?\.json$/.exec(name))
    .filter((match) => match !== null)
    .map((match) => Number(match[1] ?? 0));
  return numbers.length === 0 ? null : Math.max(...numbers);
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function writeDurably(path: string, value: unknown): void {
  const handle = openSync(path, 'w', 0o600);
  try {
    writeFileSync(handle, `${JSON.stringify(value, null, 2)}\n`);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
