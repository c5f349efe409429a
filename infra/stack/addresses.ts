import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeAtomically } from '../write-atomically.ts';
import type { Home } from './home.ts';
import { StackError } from './stack-error.ts';

// Where a stack that runs is: run/stack.json, which the command line reads too.

export interface StackAddresses {
  readonly api_url: string | null;
  readonly temporal_address: string;
  readonly temporal_ui: string | null;
}

export function publishAddresses(home: Home, addresses: StackAddresses): Promise<void> {
  const { api_url, temporal_address, temporal_ui } = addresses;
  return writeAtomically(pathIn(home.root), JSON.stringify({ api_url, temporal_address, temporal_ui }));
}

/** What a killed one said may not be so again. */
export function forgetAddresses(home: Home): Promise<void> {
  return rm(pathIn(home.root), { force: true });
}

/** What a stack that runs already said. */
export async function runningAddresses(root: string): Promise<StackAddresses> {
  const path = pathIn(root);
  if (!existsSync(path)) throw new StackError('It is still starting', 'Try again in a moment.');
  return JSON.parse(await readFile(path, 'utf8')) as StackAddresses;
}

function pathIn(root: string): string {
  return join(root, 'run', 'stack.json');
}
