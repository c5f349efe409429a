import { once } from 'node:events';
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
  const answer = await ask(`${what}. Type ${name} to go on: `);
  if (answer?.trim() === name) return;
  out.message('');
  if (answer === null) throw new CliError('Left; nothing was changed', exitCodes.interrupted, null);
  throw new CliError('Not confirmed; nothing was changed', exitCodes.refused, null);
}

/** null: Ctrl-C or Ctrl-D. The question is then rejected, or by some versions of Node left open for ever. */
async function ask(question: string): Promise<string | null> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const closed = once(terminal, 'close').then(() => null);
  const answered = terminal.question(question).catch((error: unknown) => {
    if ((error as Error).name === 'AbortError') return null;
    throw error;
  });
  try {
    return await Promise.race([answered, closed]);
  } finally {
    terminal.close();
  }
}
