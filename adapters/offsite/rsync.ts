import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { RemoteFile } from '../../domain/offsite/layout.ts';
import type { RsyncSpec } from '../../domain/offsite/spec.ts';
import { OffsiteTrouble } from '../../domain/offsite/trouble.ts';
import type { Environment } from '../process/inherited-env.ts';
import type { RemoteStore } from './remote-store.ts';
import { createRsync } from './run-rsync.ts';

/** Beside what is being uploaded; rsync goes on with what it finds in it, after comparing it. */
const partialFolder = '.rsync-partial';

interface Surroundings {
  /** For what is read back: rsync gives files, not streams. */
  readonly scratch: string;
  readonly env: Environment;
  readonly signal: AbortSignal;
}

/** A folder of a host with rsync (3.2.4 or newer) behind its sshd. An account that may run nothing but rsync (rrsync) is enough. */
export function openRsync(spec: RsyncSpec, { scratch, env, signal }: Surroundings): RemoteStore {
  const rsync = createRsync(spec, { scratch, env, signal });
  const at = (path: string): string => `${rsync.host}:${path === '' ? spec.path : `${spec.path}/${path}`}`;
  const kept = join(scratch, 'read');

  async function list(folder: string): Promise<RemoteFile[]> {
    const files: RemoteFile[] = [];
    const said = await rsync.run(['--recursive', '--list-only', '--', `${at(folder)}/`], { missing: true });
    for (const line of said?.split('\n') ?? []) {
      const [, bytes, path] = /^-\S+ +(\d+) \S+ \S+ (.+)$/.exec(line) ?? [];
      if (path !== undefined) files.push({ path: folder === '' ? path : `${folder}/${path}`, bytes: Number(bytes) });
    }
    return files;
  }

  /** rsync has no command for it: an empty folder is mirrored over what the rules name. */
  async function removeFrom(folder: string, rules: readonly string[]): Promise<void> {
    const empty = join(scratch, 'empty');
    await mkdir(empty, { recursive: true, mode: 0o700 });
    const included = rules.map((rule) => `--include=${rule}`);
    await rsync.run(['--recursive', '--delete', ...included, '--exclude=*', '--', `${empty}/`, `${at(folder)}/`]);
  }

  return {
    list,

    async open(path) {
      await mkdir(kept, { recursive: true, mode: 0o700 });
      const local = join(kept, createHash('sha256').update(path).digest('hex'));
      // What is there is of an attempt that was cut off: compared with the target's, not believed.
      const whole = ['--ignore-times', '--partial', '--', at(path), local];
      const said = await rsync.run(whole, { missing: true }).catch(nearer(kept));
      if (said === null) return null;
      // It says so, and that all is well; what it did not bring may lie here of a try before.
      const [skipped] = /^skipping (non-regular file|directory) .*$/m.exec(said) ?? [];
      if (skipped !== undefined) {
        await rm(local, { force: true });
        throw new OffsiteTrouble('refused', `${at(path)} is no file, and nothing of Holdfast's: ${skipped}`);
      }
      const content = createReadStream(local, { highWaterMark: 2 ** 20, signal });
      return content.once('close', () => void rm(local, { force: true }));
    },

    async upload(file, path, count) {
      let told = 0;
      await rsync.run(
        [
          ...['--ignore-times', '--mkpath', '--fsync', `--partial-dir=${partialFolder}`],
          ...['--perms', '--chmod=D700,F600', '--info=progress2', '--outbuf=L', '--', file.path, at(path)],
        ],
        {
          onOutput(text) {
            const done = Number(/^\s*(\d+) +\d+%/m.exec(text.split('\r').at(-1) ?? '')?.[1] ?? told);
            count(done - told);
            told = done;
          },
        },
      );
      count(file.bytes - told);
    },

    async remove(path) {
      const folder = dirname(path) === '.' ? '' : dirname(path);
      // A folder that is not there would be made.
      if ((await list(folder)).length === 0) return;
      await removeFrom(folder, [`/${basename(path)}`, `/${partialFolder}/***`]);
    },

    async removeAll(paths, folders) {
      if ((await list('')).length === 0) return;
      // What no rule names is excluded, and a folder with something of it is left.
      const halves = folders.map((folder) => `${folder}/${partialFolder}/***`);
      const rules = [...folders.map((folder) => `${folder}/`), ...halves, ...paths];
      await removeFrom(
        '',
        rules.map((rule) => `/${rule}`),
      );
    },

    async close() {
      await rsync.close();
      await rm(scratch, { recursive: true, force: true });
    },
  };
}

/** rsync says "No space left" of both ends. */
function nearer(folder: string): (error: unknown) => never {
  return (error) => {
    if (error instanceof OffsiteTrouble && error.kind === 'full')
      throw new OffsiteTrouble('full', `There is no room at ${folder} for what is read back`, { cause: error });
    throw error;
  };
}
