import type { QdrantClient } from '@qdrant/js-client-rest';
import { PermanentFailure } from '../../domain/failures.ts';
import type { Sql } from '../postgres/connect.ts';
import { collectionExists } from '../qdrant/collections.ts';
import { sideOf } from './database-sides.ts';

/** `oid` null: of a database that was never whole, and is known by its name alone. What is gone is fine. */
export async function dropDatabaseSide(
  admin: Sql,
  { name, oid }: { readonly name: string; readonly oid: number | null },
): Promise<void> {
  const there = await sideOf(admin, name);
  if (there === null) return;
  if (oid !== null && there.oid !== oid) throw new PermanentFailure('SwapRefused', `${name} is another database`);
  // Nobody is let into a side that is held, and to drop it nobody has to be.
  await admin`drop database if exists ${admin(name)} with (force)`;
}

/**
 * Collections of one side. One that a restore made is that side's alone; any other may be shared with another installation on
 * the same Qdrant, so only the points of these projects go, and the collection when nothing is left in it.
 */
export async function dropPoints(
  qdrant: QdrantClient,
  { collections, projects }: { readonly collections: readonly string[]; readonly projects: readonly string[] },
  signal: AbortSignal,
): Promise<void> {
  for (const name of collections) {
    signal.throwIfAborted();
    if (!(await collectionExists(qdrant, name))) continue;
    if (!/-r[0-9a-f]{8}$/.test(name)) {
      const of = { must: [{ key: 'project', match: { any: [...projects] } }] };
      if (projects.length > 0) await qdrant.delete(name, { filter: of, wait: true });
      if ((await qdrant.count(name, { exact: true })).count > 0) continue;
    }
    await qdrant.deleteCollection(name);
  }
}
