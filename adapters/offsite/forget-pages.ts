import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The kernel's copy of a file in memory, so that the next one to read it reads the disk. As far as this system can do it. */
export async function forgetPages(path: string): Promise<void> {
  // Node has no posix_fadvise; coreutils' dd has it, without reading anything.
  await run('dd', [`if=${path}`, 'iflag=nocache,nonblock,nofollow', 'count=0', 'status=none']).catch(() => undefined);
}
