import { Command } from 'commander';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../infra/package-root.ts';
import { backupCommands } from './commands/backup.ts';
import { offsiteCommands } from './commands/offsite.ts';
import { completionCommand } from './commands/completion.ts';
import { deployCommands } from './commands/deploy.ts';
import { drillCommands } from './commands/drill.ts';
import { doctorCommand } from './commands/doctor.ts';
import { exportCommand } from './commands/export.ts';
import { evalCommands } from './commands/eval.ts';
import { eventCommands } from './commands/event.ts';
import { importCommand } from './commands/import.ts';
import { mcpCommand } from './commands/mcp.ts';
import { memoryCommands } from './commands/memory.ts';
import { policyCommands } from './commands/policy.ts';
import { projectCommands } from './commands/project.ts';
import { proposalCommands } from './commands/proposal.ts';
import { questionSetCommands } from './commands/question-set.ts';
import { releaseCommands } from './commands/release.ts';
import { scheduleCommands } from './commands/schedule.ts';
import { restoreCommands } from './commands/restore.ts';
import { searchCommand } from './commands/search.ts';
import { serviceCommands } from './commands/service.ts';
import { sourceCommands } from './commands/source.ts';
import { statusCommand } from './commands/status.ts';
import { tokenCommands } from './commands/token.ts';
import { upCommand } from './commands/up.ts';
import { waveCommands } from './commands/wave.ts';

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
    ...[sourceCommands, waveCommands, searchCommand, memoryCommands, drillCommands, evalCommands],
    ...[projectCommands, proposalCommands, questionSetCommands, exportCommand, importCommand],
    ...[backupCommands, offsiteCommands, restoreCommands, scheduleCommands],
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
