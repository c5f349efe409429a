import type { GitSource } from '../git/source.ts';
import type { OperatorCommands } from '../process/operator-command.ts';
import { askCommand } from './command.ts';
import { askGit } from './git.ts';
import { boundedSource, type BoxSource, type ReleaseSource } from './release-source.ts';
import { askRuntimeLogs, type LogTail } from './runtime-logs.ts';
import { askRuntime } from './runtime.ts';

export interface ReleaseSourceDeps {
  readonly git: Pick<GitSource, 'fetch' | 'resolve' | 'parentOf'>;
  readonly commands: Pick<OperatorCommands, 'run'>;
  /** The last lines of what the service's newest instance said. */
  readonly tail: LogTail;
  /** For each source. */
  readonly timeout_ms?: number;
}

export type ReleaseSources = Readonly<Record<BoxSource, ReleaseSource>>;

export function createReleaseSources({ git, commands, tail, timeout_ms = 10_000 }: ReleaseSourceDeps): ReleaseSources {
  return {
    runtime: boundedSource('runtime', timeout_ms, askRuntime),
    runtime_logs: boundedSource('runtime_logs', timeout_ms, (question) =>
      askRuntimeLogs(question, { tail, commands, timeout_ms }),
    ),
    git: boundedSource('git', timeout_ms, (question) => askGit(question, git)),
    command: boundedSource('command', timeout_ms, (question) => askCommand(question, { commands, timeout_ms })),
  };
}
