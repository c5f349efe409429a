import { spawn } from 'node:child_process';
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createWriteStream } from 'node:fs';
import { Untrusted } from './checksum-record.ts';
import { StackError } from '../stack-error.ts';

/**
 * Writes one program of a .tar.gz to `target`. Nothing else is written, wherever the archive may want to put it: tar only
 * prints that one member. Throws Untrusted when the archive has no such file.
 */
export async function unpackProgram(
  archive: string,
  member: string,
  target: string,
  signal: AbortSignal,
): Promise<void> {
  const from = await open(archive, 'r');
  try {
    const stdio = [from.fd, 'pipe', 'pipe'] as const;
    const child = spawn('tar', ['-xzO', '-f', '-', '--', member], { stdio: [...stdio], signal });
    const ended = new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve));
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text.slice(0, 4_096)));
    const to = createWriteStream(target, { flags: 'wx', mode: 0o755 });
    // Both, so that a full disk is what is said, and not what tar makes of it.
    const [written, code] = await Promise.allSettled([pipeline(child.stdout ?? [], to), ended]);
    signal.throwIfAborted();
    if (code.status === 'rejected') throw withoutTar(code.reason);
    if (written.status === 'rejected') throw written.reason;
    if (code.value !== 0) throw new Untrusted(`${member} cannot be unpacked: ${said.trim().split('\n')[0] ?? ''}`);
    // A link or a folder prints nothing.
    if (to.bytesWritten === 0) throw new Untrusted(`the archive has no program ${member} in it`);
  } finally {
    await from.close();
  }
}

function withoutTar(error: unknown): unknown {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return error;
  return new StackError('There is no program `tar` to unpack downloads with', 'Install the package `tar`.');
}
