import { readFile, stat } from 'node:fs/promises';
import type { SshSpec } from '../../domain/offsite/spec.ts';
import { OffsiteTrouble } from '../../domain/offsite/trouble.ts';

/** Of a host that sleeps: long enough to be woken by the first try, short enough to try again. */
export const connectMs = 20_000;
/** A host that says nothing for three of these is gone. */
export const aliveMs = 5_000;

/** Throws OffsiteTrouble (refused) as ssh itself would, and before anything is sent. */
export async function readIdentity({ identity_file: path }: SshSpec): Promise<Buffer> {
  try {
    const { mode } = await stat(path);
    if ((mode & 0o077) !== 0)
      throw new OffsiteTrouble('refused', `The key ${path} can be read by others: chmod 600 ${path}`);
    return await readFile(path);
  } catch (error) {
    if (error instanceof OffsiteTrouble) throw error;
    throw new OffsiteTrouble('refused', `The key ${path} cannot be read: ${codeOf(error)}`, { cause: error });
  }
}

/** The keys as they come over the line. */
export function pinnedKeys({ host_keys: keys }: SshSpec): readonly Buffer[] {
  return keys.map((key) => Buffer.from(key.split(' ')[1] ?? '', 'base64'));
}

/** What of the host's keys is asked for, so that it shows one that is pinned. */
export function hostKeyAlgorithms({ host_keys: keys }: SshSpec): string[] {
  const types = keys.map((key) => key.split(' ')[0] ?? '');
  return [...new Set(types.flatMap((type) => (type === 'ssh-rsa' ? ['rsa-sha2-512', 'rsa-sha2-256'] : [type])))];
}

/** What went wrong on the way to a host, or with it; undefined: something else. */
export function sshTrouble(message: string, host: string, cause: unknown): OffsiteTrouble | undefined {
  const refused =
    /host denied|host key verification failed|handshake failed|no matching|permission denied \(|authentication methods failed|remote host identification|privatekey|private key/i;
  const away =
    /refused|timed? ?out|timeout|unreachable|no route|reset|closed|not connected|no response|unexpected end|lookup|resolve|ENOTFOUND|EAI_AGAIN|EPIPE|broken pipe|lost connection|no sftp connection/i;
  if (refused.test(message))
    return new OffsiteTrouble('refused', `${host} refuses, or is another: ${message}`, { cause });
  if (away.test(message)) return new OffsiteTrouble('away', `${host} does not answer: ${message}`, { cause });
  return undefined;
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}
