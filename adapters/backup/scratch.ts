import type { ManifestDraft } from '../../domain/backup/manifest.ts';
import { connect, databaseUrl } from '../postgres/connect.ts';
import { connectQdrant } from '../qdrant/connect.ts';
import type { BackupServers, MemberReader, Watched } from './deps.ts';
import type { RestoredAt } from './compare-collection.ts';
import { dropRestoredCollection, restoreCollection } from './restore-collection.ts';
import { dropRestoredDatabase, restoreDatabase } from './restore-database.ts';

/** A recovery point, restored where nobody reads it. */
export interface Scratch {
  readonly databases: Readonly<Record<'data' | 'ops', string>>;
  /** By the name that the collection has in the manifest. */
  readonly collections: ReadonlyMap<string, RestoredAt>;
}

export interface ScratchRequest extends Watched {
  readonly manifest: ManifestDraft;
  /** What it is called, so that it is nobody else's and can be dropped by whoever finds it: `[a-z0-9_]`, at most 32. */
  readonly scratch: string;
  readonly workFolder: string;
  /** Where others are needed than `dropScratch` knows; who names them drops them. */
  readonly databases?: Scratch['databases'];
}

type Deps = BackupServers & { readonly reader: MemberReader };

/** Throws as `restoreDatabase` and `rebuildCollection` do; what was made by then is left for `dropScratch`. */
export async function restoreIntoScratch(deps: Deps, request: ScratchRequest): Promise<Scratch> {
  const { manifest, scratch, workFolder, signal, beat } = request;
  const { databases = scratchDatabases(deps.database, scratch) } = request;
  for (const role of ['data', 'ops'] as const)
    await restoreDatabase(deps, { role, database: databases[role], manifest, workFolder, signal, beat });
  const collections = new Map<string, RestoredAt>();
  const data = connect(databaseUrl(deps.postgresUrl, databases.data), { name: 'holdfast-restore', max: 2 });
  try {
    for (const [at, collection] of manifest.collections.entries()) {
      const into = scratchCollection(scratch, at);
      const restored = await restoreCollection(deps, { collection, manifest, into, data, signal, beat });
      collections.set(collection.name, { name: into, ...restored });
    }
  } finally {
    await data.end({ timeout: 5 });
  }
  return { databases, collections };
}

/** Everything of that name, as often as it is asked. */
export async function dropScratch(
  deps: Pick<BackupServers, 'postgresUrl' | 'database' | 'qdrant'>,
  scratch: string,
): Promise<void> {
  const { data, ops } = scratchDatabases(deps.database, scratch);
  for (const database of [data, ops]) await dropRestoredDatabase(deps, database);
  const { collections } = await connectQdrant(deps.qdrant).getCollections();
  const ours = collections.filter(({ name }) => name.startsWith(scratchCollection(scratch, '')));
  for (const { name } of ours) await dropRestoredCollection(deps, name);
}

/** What the databases of a scratch begin with. A long name of the installation's database is cut: PostgreSQL knows 63 bytes. */
export function scratchDatabase(database: string, scratch: string): string {
  if (!/^[a-z0-9_]{1,32}$/.test(scratch)) throw new Error(`Not a name for scratch: ${scratch}`);
  return `${database.slice(0, 16)}_scratch_${scratch}`;
}

/** Of the manifest's collections that at this place in it; with none, what all of them begin with. */
export function scratchCollection(scratch: string, at: number | ''): string {
  return `holdfast-scratch-${scratch}-${at}`;
}

function scratchDatabases(database: string, scratch: string): Record<'data' | 'ops', string> {
  const start = scratchDatabase(database, scratch);
  return { data: `${start}_data`, ops: `${start}_ops` };
}
