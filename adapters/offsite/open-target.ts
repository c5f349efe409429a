import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TargetSpec } from '../../domain/offsite/spec.ts';
import { bootId, identityOf, isAlive } from '../process/identity.ts';
import type { Environment } from '../process/inherited-env.ts';
import { openDirectory } from './directory.ts';
import type { RemoteStore } from './remote-store.ts';
import { openRsync } from './rsync.ts';
import { createTarget, type OffsiteTarget } from './target.ts';

export interface TargetPlace {
  readonly spec: TargetSpec;
  /** Of its marker; null: whichever is there. */
  readonly id: string | null;
}

export interface TargetSurroundings {
  /** The worker's: where secrets may be, and where programs are. */
  readonly env: Environment;
  /** A folder of Holdfast's for short-lived files. */
  readonly scratch: string;
  readonly signal: AbortSignal;
}

/** Nothing is spoken to before it is asked for something. To be closed. */
export async function openTarget({ spec, id }: TargetPlace, around: TargetSurroundings): Promise<OffsiteTarget> {
  const scratch = await ownFolder(around.scratch);
  const target = createTarget(await openStore(spec, { ...around, scratch }), { id, scratch });
  return {
    ...target,
    close: async () => {
      await target.close();
      await rm(scratch, { recursive: true, force: true });
    },
  };
}

/** Of SFTP and S3 only where there is one: their packages take half a second of every start. */
async function openStore(spec: TargetSpec, around: TargetSurroundings): Promise<RemoteStore> {
  switch (spec.kind) {
    case 'directory':
      return openDirectory(spec.path, around.signal);
    case 'sftp':
      return (await import('./sftp.ts')).openSftp(spec, around.signal);
    case 'rsync':
      return openRsync(spec, around);
    case 's3':
      return (await import('./s3.ts')).openS3(spec, around);
  }
}

/** Of this use alone, after removing those of processes that are gone. */
async function ownFolder(root: string): Promise<string> {
  await mkdir(root, { recursive: true, mode: 0o700 });
  for (const name of await readdir(root)) {
    const [, pid = '', start = ''] = /^(\d+)-(\d+)-[0-9a-f]+$/.exec(name) ?? [];
    if (pid === '' || isAlive({ pid: Number(pid), start_time: Number(start), boot_id: bootId() })) continue;
    await rm(join(root, name), { recursive: true, force: true });
  }
  const start = identityOf(process.pid)?.start_time ?? 0;
  const folder = join(root, `${process.pid}-${start}-${randomBytes(4).toString('hex')}`);
  await mkdir(folder, { mode: 0o700 });
  return folder;
}
