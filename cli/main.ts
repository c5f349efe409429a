#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { readVersion } from '../infra/build-info.ts';
import { ownProblem } from './cli-error.ts';
import { completionCommand } from './commands/completion.ts';
import { deployCommands } from './commands/deploy.ts';
import { doctorCommand } from './commands/doctor.ts';
import { eventCommands } from './commands/event.ts';
import { releaseCommands } from './commands/release.ts';
import { serviceCommands } from './commands/service.ts';
import { statusCommand } from './commands/status.ts';
import { tokenCommands } from './commands/token.ts';
import { upCommand } from './commands/up.ts';
import { exitCodes } from './exit-codes.ts';

/** The `holdfast` command. */
export function createProgram(): Command {
  const program = new Command('holdfast')
    .description('Keeps a self-hosted AI context engine alive and trustworthy.')
    .version(readVersion())
    .showHelpAfterError('next: holdfast --help')
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'holdfast: ')) })
    .exitOverride();
  for (const add of [
    ...[upCommand, statusCommand, doctorCommand, serviceCommands, releaseCommands],
    ...[deployCommands, eventCommands, tokenCommands, completionCommand],
  ]) {
    add(program);
  }
  return program;
}

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
