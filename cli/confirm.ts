import { createInterface } from 'node:readline/promises';
import { CliError, usageError } from './cli-error.ts';
import { exitCodes } from './exit-codes.ts';
import type { Output } from './output.ts';

/** On a terminal the name is typed; in scripts it stands behind --confirm. Never asks where nobody can answer. */
export async function confirmName(out: Output, name: string, given: string | undefined, what: string): Promise<void> {
  if (given !== undefined) {
    if (given === name) return;
    throw usageError(`--confirm says ${given}, but this is about ${name}`);
  }
  if (!out.interactive) throw usageError(`${what} needs --confirm=${name} where nobody can be asked`);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(`${what}. Type ${name} to go on: `);
    if (answer.trim() !== name)
      throw new CliError('Not confirmed; nothing was changed', exitCodes.refused, 'holdfast --help');
  } finally {
    terminal.close();
  }
}
