import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { packageRoot } from '../infra/package-root.ts';
import type { Pauses, Written } from './backup-writer.ts';

const program = join(packageRoot, 'dist/bench/backup-writer.js');

/**
 * One writer of each store, which writes all the time, as a wave does between its batches. It is a process of its own: what is
 * measured is how long the stores keep it waiting, not how long whoever backs up keeps Node.
 */
export async function whileWriting<T>(
  written: Written,
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly pauses: Pauses }> {
  const writer = fork(program, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const died = once(writer, 'exit').then(([code]) => Promise.reject(new Error(`The writer ended with ${code}`)));
  died.catch(() => undefined);
  try {
    writer.send(written);
    await Promise.race([once(writer, 'message'), died]);
    const result = await Promise.race([work(), died]);
    const said = new Promise<Pauses>((resolve) =>
      writer.on('message', (message) => {
        if (typeof message === 'object') resolve(message as Pauses);
      }),
    );
    writer.send('end');
    return { result, pauses: await Promise.race([said, died]) };
  } finally {
    writer.kill('SIGKILL');
  }
}
