import { Command } from 'commander';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../infra/package-root.ts';
import { completionCommand } from './commands/completion.ts';
import { deployCommands } from './commands/deploy.ts';
import { doctorCommand } from './commands/doctor.ts';
import { eventCommands } from './commands/event.ts';
import { mcpCommand } from './commands/mcp.ts';
import { policyCommands } from './commands/policy.ts';
import { releaseCommands } from './commands/release.ts';
import { serviceCommands } from './commands/service.ts';
import { statusCommand } from './commands/status.ts';
import { tokenCommands } from './commands/token.ts';
import { upCommand } from './commands/up.ts';

/** The `holdfast` command with all its words; what a command does is loaded when it is run. */
export function createProgram(): Command {
  const program = new Command('holdfast')
    .description('Keeps a self-hosted AI context engine alive and trustworthy.')
    .version(version())
    .showHelpAfterError('next: holdfast --help')
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'holdfast: ')) })
    .exitOverride();
  for (const add of [
    ...[upCommand, statusCommand, doctorCommand, serviceCommands, releaseCommands],
    ...[deployCommands, policyCommands, eventCommands, tokenCommands, mcpCommand, completionCommand],
  ]) {
    add(program);
  }
  return program;
}

/** Read here, because infra/build-info.ts loads schemas that take longer than all of `--help`. */
function version(): string {
  return (JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string }).version;
}
