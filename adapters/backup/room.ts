import type { QdrantClient } from '@qdrant/js-client-rest';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { RoomFacts } from '../../domain/backup/room.ts';
import { freeBytes } from '../files/disk.ts';
import type { Sql } from '../postgres/connect.ts';
import type { RecoveryPointStore } from '../postgres/recovery-points.ts';
import { bytesOfSet, type FileSet } from './file-set.ts';

export interface RoomDeps {
  readonly data: Sql;
  readonly ops: Sql;
  readonly qdrant: QdrantClient;
  readonly home: string;
  readonly recoveryPoints: Pick<RecoveryPointStore, 'list'>;
}

/** What a backup may need, and what there is. Estimates: that it fits is proved only by its end. */
export async function measureRoom(
  deps: RoomDeps,
  fileSets: readonly FileSet[],
  includeVectors: boolean,
): Promise<RoomFacts> {
  const folder = join(deps.home, 'backups');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const sizes = await Promise.all([sizeOf(deps.data), sizeOf(deps.ops)]);
  const [last] = await deps.recoveryPoints.list({ limit: 1 });
  const sets = await Promise.all(fileSets.map(bytesOfSet));
  return {
    free: await freeBytes(folder),
    postgres_free: await postgresFree(deps.data),
    databases: sum(sizes),
    files: sum(sets),
    vectors: includeVectors ? await vectorBytes(deps.qdrant) : 0,
    last_point: last?.stored_bytes ?? null,
  };
}

async function sizeOf(sql: Sql): Promise<number> {
  const [row] = await sql<{ bytes: string }[]>`select pg_database_size(current_database()) as bytes`;
  return Number(row?.bytes ?? 0);
}

/** Where its data folder is on this box and may be looked at. */
async function postgresFree(sql: Sql): Promise<number | null> {
  try {
    const [row] = await sql<{ folder: string }[]>`select current_setting('data_directory') as folder`;
    return row === undefined ? null : await freeBytes(row.folder);
  } catch {
    return null;
  }
}

/** Dense vectors of four bytes a dimension; the rest of a point is small beside them. */
async function vectorBytes(qdrant: QdrantClient): Promise<number> {
  const { collections } = await qdrant.getCollections();
  const sizes = await Promise.all(
    collections.map(async ({ name }) => {
      const { points_count, config } = await qdrant.getCollection(name);
      const { vectors = {} } = config.params;
      const dense = Object.values(vectors).map((each) => (each as { size?: number } | undefined)?.size ?? 0);
      return (points_count ?? 0) * (sum(dense) * 4 + 500);
    }),
  );
  return sum(sizes);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
