import { join } from 'node:path';
import type { Manifest } from '../../domain/backup/manifest.ts';
import { readIdentities } from '../backup/age-key.ts';
import type { MemberReader } from '../backup/deps.ts';
import { readManifest } from '../backup/manifest-file.ts';
import { createPoints } from '../backup/points.ts';
import { createMemberReader } from '../backup/sealed-member.ts';
import { readTrustedKeys } from '../backup/signing-key.ts';

/** A published recovery point whose signature was verified. */
export interface OpenedPoint {
  readonly manifest: Manifest;
  readonly reader: MemberReader;
  readonly folder: string;
}

/** Throws PermanentFailure when there is none, or when it is not what somebody of ours signed. */
export type OpenPoint = (stamp: string) => Promise<OpenedPoint>;

export interface PointsOfHome {
  readonly home: string;
  /** A file of keys of age; null: none is on this box. */
  readonly identitiesPath: string | null;
  readonly env: NodeJS.ProcessEnv;
}

/** Those of a data folder, wherever they were taken. */
export function createOpenPoint({ home, identitiesPath, env }: PointsOfHome): OpenPoint {
  const points = createPoints(join(home, 'backups'));
  return async (stamp) => {
    const folder = points.folderOf(stamp, 'kept');
    const manifest = await readManifest(folder, await readTrustedKeys(join(home, 'secrets')));
    const identities = identitiesPath === null ? [] : await readIdentities(identitiesPath);
    return { folder, manifest: atHome(manifest, home), reader: createMemberReader({ folder, identities, env }) };
  };
}

/** Holdfast's own files belong into its data folder, which may be another one than when the point was taken. */
function atHome(manifest: Manifest, home: string): Manifest {
  const file_sets = manifest.file_sets.map((set) =>
    set.service === null ? { ...set, root: join(home, set.name) } : set,
  );
  return { ...manifest, file_sets };
}
