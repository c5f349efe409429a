import type { Member } from '../../domain/backup/manifest.ts';
import type { BackupServers } from '../backup/deps.ts';
import type { Points } from '../backup/points.ts';
import { scratchDatabase } from '../backup/scratch.ts';
import type { TrustedKeys } from '../backup/signing-key.ts';
import type { Embeddings } from '../embeddings/embedder.ts';
import type { TargetPlace } from '../offsite/open-target.ts';
import type { Environment } from '../process/inherited-env.ts';
import type { Sql } from '../postgres/connect.ts';
import { join } from 'node:path';

export interface NamedTarget extends TargetPlace {
  readonly name: string;
}

/** Everything that a drill on this box works with. */
export interface DrillDeps {
  readonly servers: BackupServers;
  /** The live operations database. */
  readonly ops: Sql;
  readonly points: Points;
  readonly trusted: () => Promise<TrustedKeys>;
  /** Keys of age that this box has for drills. */
  readonly identities: () => Promise<readonly string[]>;
  /** Other places at which points of this box are. */
  readonly targets: () => Promise<readonly NamedTarget[]>;
  readonly embeddings: Embeddings;
  /** api/main.ts, compiled. */
  readonly apiProgram: string;
  readonly freePort: () => Promise<number>;
  /** <home>/drills. */
  readonly root: string;
  readonly env: Environment;
}

/** Where a drill has its copy of the point, and the data folder of the app that it boots. */
export function foldersOf(root: string, drillId: string) {
  if (!/^[0-9a-f-]{36}$/.test(drillId)) throw new Error(`Not the id of a drill: ${drillId}`);
  const drill = join(root, drillId);
  return { drill, point: join(drill, 'point'), work: join(drill, 'work'), home: join(drill, 'home') };
}

/** A database of the name that the app is told, and beside it that of its operations. */
export function databasesOf({ database }: Pick<BackupServers, 'database'>, scratch: string) {
  const data = scratchDatabase(database, scratch);
  return { data, ops: `${data}_ops` };
}

export function memberPath(point: string, { name }: Pick<Member, 'name'>): string {
  return join(point, 'members', name);
}
