import type { ManifestDraft } from '../../domain/backup/manifest.ts';
import type { Sql } from '../postgres/connect.ts';
import { connectQdrant } from '../qdrant/connect.ts';
import { collectionExists } from '../qdrant/collections.ts';
import type { BackupServers, MemberReader, Watched } from './deps.ts';
import { isOfThePoint } from './findings.ts';
import { qdrantVersion } from '../qdrant/version.ts';
import { deleteSnapshot, peersOf, recoverFrom, uploadName } from './qdrant-snapshot.ts';
import { rebuildCollection } from './rebuild-collection.ts';
import { counting, told } from './told.ts';

export interface RestoreCollectionRequest extends Watched {
  readonly collection: ManifestDraft['collections'][number];
  readonly manifest: Pick<ManifestDraft, 'members' | 'versions'>;
  /** A new collection. What has that name is deleted first. */
  readonly into: string;
  /** The restored database. */
  readonly data: Sql;
}

/** `why` it was rebuilt from the rows; null: it is the snapshot. */
export interface RestoredCollection {
  readonly why: string | null;
  /** The snapshot is there and is no good. Not: it is none for this server. */
  readonly damaged: boolean;
}

/**
 * From its snapshot; and where the point has none, or one for another server, or one that Qdrant refuses, or damaged bytes, from the
 * rows, which says why. Throws as `rebuildCollection` does.
 */
export async function restoreCollection(
  deps: Pick<BackupServers, 'qdrant'> & { readonly reader: MemberReader },
  request: RestoreCollectionRequest,
): Promise<RestoredCollection> {
  const { collection, into, data, signal, beat } = request;
  const qdrant = connectQdrant(deps.qdrant);
  await dropRestoredCollection(deps, into);
  const restored = await fromSnapshot(deps, request);
  if (restored.why === null) return restored;
  if (restored.damaged) await dropRefused(deps, into);
  await rebuildCollection({ data, qdrant }, { collection: collection.name, into, signal, beat });
  return restored;
}

/** What is gone is fine. */
export async function dropRestoredCollection({ qdrant }: Pick<BackupServers, 'qdrant'>, name: string): Promise<void> {
  const client = connectQdrant(qdrant);
  if (!(await collectionExists(client, name))) return;
  await deleteSnapshot(qdrant, name, uploadName(name));
  await client.deleteCollection(name);
}

/** Qdrant keeps what it refused, below the name of a collection that is not there: out of reach until it is. */
async function dropRefused(deps: Pick<BackupServers, 'qdrant'>, name: string): Promise<void> {
  const client = connectQdrant(deps.qdrant);
  if (!(await collectionExists(client, name))) await client.createCollection(name, { vectors: {} });
  await dropRestoredCollection(deps, name);
}

async function fromSnapshot(
  { qdrant, reader }: Pick<BackupServers, 'qdrant'> & { readonly reader: MemberReader },
  { collection, manifest, into, signal, beat }: RestoreCollectionRequest,
): Promise<RestoredCollection> {
  const member = manifest.members.find(({ name }) => name === collection.member);
  if (member === undefined) return rebuilt(collection.why ?? 'the point has no snapshot of it');
  const here = await qdrantVersion(connectQdrant(qdrant));
  const there = manifest.versions.qdrant ?? here;
  // A newer one reads the snapshots of the version before at best; an older one loads what it does not understand.
  if (minorOf(here) !== minorOf(there)) return rebuilt(`the snapshot is of Qdrant ${there}, this is ${here}`);
  const peers = await peersOf(qdrant, signal);
  if (peers > 1) return rebuilt(`Qdrant has ${peers} peers`);
  const plain = reader.open(member, signal);
  try {
    const recover = (done: (bytes: number) => void) =>
      recoverFrom(qdrant, into, { plain: counting(plain, done), ...member.plain }, signal);
    await told(beat, `restore ${collection.name}`, recover, member.plain.bytes);
    return { why: null, damaged: false };
  } catch (error) {
    if (isOfThePoint(error)) return { why: error.message, damaged: true };
    throw error;
  }
}

function rebuilt(why: string): RestoredCollection {
  return { why, damaged: false };
}

function minorOf(version: string): string {
  return version.split('.').slice(0, 2).join('.');
}
