import { mkdir, rename, writeFile } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { inheritedEnv, type Environment } from '../process/inherited-env.ts';
import { runCommand, type CommandResult } from '../process/run-command.ts';

export interface GitOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called while git is at work and says so. */
  readonly heartbeat?: (() => void) | undefined;
  readonly env?: Readonly<Record<string, string>>;
}

export type Git = (gitDir: string, args: readonly string[], options?: GitOptions) => Promise<CommandResult>;

/**
 * Stands in for the user's own settings. A file, because git hands settings from its command line and environment neither
 * to safe.directory of all versions nor to the upload-pack that reads a repository on this machine.
 */
const settings = `[safe]
  directory = *
[core]
  hooksPath = /dev/null
  fsmonitor = false
  attributesFile = /dev/null
[protocol "ext"]
  allow = never
[gc]
  pruneExpire = never
  autoDetach = false
[maintenance]
  autoDetach = false
[http]
  lowSpeedLimit = 1000
  lowSpeedTime = 60
[advice]
  detachedHead = false
`;

/** Git without a terminal, hooks, or anybody's settings but ours. `root` is where ours are kept. */
export function createGit(root: string, env: Environment): Git {
  const environment = createGitEnvironment(root, env);
  return async (gitDir, args, { signal, heartbeat, env: extra } = {}) =>
    runCommand(['git', '--git-dir', gitDir, ...args], {
      cwd: root,
      env: { ...(await environment(gitDir)), ...extra },
      signal,
      onOutput: () => heartbeat?.(),
    });
}

/** The whole environment of a git process. The first call writes the settings that it points to. */
export function createGitEnvironment(
  root: string,
  env: Environment,
): (gitDir: string) => Promise<Record<string, string>> {
  const settingsPath = join(root, '.gitconfig');
  let written: Promise<void> | undefined;

  return async (gitDir) => {
    written ??= writeSettings(root, settingsPath).catch((error: unknown) => {
      written = undefined;
      throw error;
    });
    await written;
    return {
      ...inheritedEnv(env),
      LC_ALL: 'C',
      GIT_TERMINAL_PROMPT: '0',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: settingsPath,
      GIT_ATTR_NOSYSTEM: '1',
      GIT_SSH_COMMAND: 'ssh -o BatchMode=yes -o ConnectTimeout=20 -o ServerAliveInterval=15',
      HOLDFAST_GIT: gitDir,
    };
  };
}

async function writeSettings(root: string, path: string): Promise<void> {
  await mkdir(root, { recursive: true });
  const temporary = `${path}.${randomUUID()}`;
  await writeFile(temporary, settings, { mode: 0o600 });
  await rename(temporary, path);
}
