#!/usr/bin/env node
import { CommanderError } from 'commander';
import { ownProblem } from './cli-error.ts';
import { exitCodes } from './exit-codes.ts';
import { createProgram } from './program.ts';

// A reader that has seen enough, such as `head`, is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(process.exitCode ?? 0);
  throw error;
});

createProgram()
  .parseAsync()
  .catch((error: unknown) => {
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    if (error.exitCode === 0 || !process.argv.includes('--json')) return;
    const problem = ownProblem(error.message.replace(/^error: /, ''), 'holdfast --help');
    process.stdout.write(`${JSON.stringify(problem)}\n`);
  });
