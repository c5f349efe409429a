import { mkdir } from 'node:fs/promises';
import type { RsyncSpec } from '../../domain/offsite/spec.ts';
import { OffsiteTrouble } from '../../domain/offsite/trouble.ts';
import { inheritedEnv, type Environment } from '../process/inherited-env.ts';
import { runCommand, type CommandResult } from '../process/run-command.ts';
import { sshTrouble } from './ssh.ts';
import { writeSshConfig } from './ssh-config.ts';

/** A transfer that has stood still for so long is over. */
const stillSeconds = 60;

interface RsyncRun {
  /** What is asked for need not be there: then null is the answer. */
  readonly missing?: boolean;
  readonly onOutput?: (text: string) => void;
}

/** rsync over an ssh that knows one host. `scratch`: of this target alone. */
export function createRsync(
  spec: RsyncSpec,
  { scratch, env, signal }: { readonly scratch: string; readonly env: Environment; readonly signal: AbortSignal },
) {
  const address = spec.host.includes(':') ? `[${spec.host}]` : spec.host;
  let preparing: Promise<string> | null = null;

  /** What it said. Throws OffsiteTrouble, or what rsync said last. */
  async function run(args: readonly string[], { missing = false, onOutput }: RsyncRun = {}): Promise<string | null> {
    await mkdir(scratch, { recursive: true, mode: 0o700 });
    preparing ??= writeSshConfig(spec, scratch);
    const config = await preparing;
    const said: string[] = [];
    const result = await runCommand(
      ['rsync', '-e', `ssh -F "${config}"`, `--timeout=${stillSeconds}`, '--no-human-readable', '--no-motd', ...args],
      {
        cwd: scratch,
        env: { ...inheritedEnv(env), LC_ALL: 'C' },
        signal,
        onOutput(chunk) {
          const text = chunk.toString('utf8');
          if (onOutput === undefined) said.push(text);
          else onOutput(text);
        },
      },
    ).catch(notInstalled);
    if (result.exit_code === 0) return said.join('');
    if (missing && isMissing(result)) return null;
    throw troubleOf(result, spec);
  }

  /** The connection that ssh keeps for the next use. */
  async function close(): Promise<void> {
    const config = await preparing?.catch(() => null);
    if (config == null) return;
    const options = { cwd: '/', env: inheritedEnv(env), timeout_ms: 5_000 };
    await runCommand(['ssh', '-F', config, '-O', 'exit', address], options).catch(() => undefined);
  }

  return { host: `${spec.user}@${address}`, run, close };
}

/** As rsync itself says it, and as the newer rrsync does, before it starts rsync. */
function isMissing({ exit_code, stderr }: CommandResult): boolean {
  if (exit_code === 23) return /No such file or directory \(2\)/.test(stderr);
  return /rrsync error: .* No such file or directory$/m.test(stderr);
}

function notInstalled(error: unknown): never {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT')
    throw new OffsiteTrouble('refused', 'rsync is not installed here: install the packages rsync and openssh-client');
  throw error;
}

/** Exit codes of rsync(1) that a host gives which went away: its sockets, its protocol's stream, its silence; 255 is ssh's own. */
const goneCodes = [10, 12, 30, 35, 255];

function troubleOf({ exit_code, stderr }: CommandResult, { host, path }: RsyncSpec): Error {
  const lines = stderr.trim().split('\n');
  const message = lines.find((line) => !/^rsync error: |^$/.test(line)) ?? lines.at(-1) ?? '';
  const cause = new Error(`rsync ended with ${exit_code}: ${stderr.trim()}`);
  if (/No space left on device|Disk quota exceeded/.test(stderr))
    return new OffsiteTrouble('full', `There is no room left at ${host}:${path}`, { cause });
  // The last is what rrsync says where it was told to delete nothing.
  if (/Permission denied \(13\)|Read-only file system|has been disabled on this server/.test(stderr))
    return new OffsiteTrouble('refused', `${host} does not let us: ${message}`, { cause });
  if (/command not found|rsync: not found|unknown option/.test(stderr))
    return new OffsiteTrouble('refused', `${host} has no rsync 3.2.4 or newer: ${message}`, { cause });
  const known = sshTrouble(message, host, cause);
  if (known !== undefined) return known;
  return goneCodes.includes(exit_code)
    ? new OffsiteTrouble('away', `${host} does not answer: ${message}`, { cause })
    : cause;
}
