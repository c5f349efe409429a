import { mkdir } from 'node:fs/promises';
import { PermanentFailure } from '../../domain/failures.ts';
import { serviceFolder } from '../files/service-folder.ts';
import { inheritedEnv, type Environment } from './inherited-env.ts';
import { runCommand, type CommandResult } from './run-command.ts';

export interface OperatorCommand {
  readonly service: string;
  /** What it is for, in a word or two: for the message when it is not there. */
  readonly name: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly timeout_ms: number;
  readonly signal?: AbortSignal | undefined;
}

/** An operator's own short commands, each in the folder of its service: what they ask may be asked again at any time. */
export function createOperatorCommands({ root, env }: { readonly root: string; readonly env: Environment }) {
  async function folderFor(service: string): Promise<string> {
    const folder = serviceFolder(root, service);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return folder;
  }

  /** Every exit code and a timeout are results. Throws CommandNotFound, and when it is called off. */
  async function run({ service, name, argv, env: own, timeout_ms, signal }: OperatorCommand): Promise<CommandResult> {
    const cwd = await folderFor(service);
    try {
      const all = { ...inheritedEnv(env), ...own };
      return await runCommand(argv, { cwd, env: all, timeout_ms, signal, grace_ms: 0 });
    } catch (error) {
      signal?.throwIfAborted();
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' && code !== 'EACCES') throw error;
      const advice = `install it or change commands.${name}`;
      throw new PermanentFailure('CommandNotFound', `${argv[0] ?? ''} cannot be started (${code}): ${advice}`);
    }
  }

  return { run, folderFor };
}

export type OperatorCommands = ReturnType<typeof createOperatorCommands>;
