import type { TransactionSql } from 'postgres';
import type { Manifest, Member } from '../../domain/backup/manifest.ts';
import { connectQdrant, type QdrantServer } from '../qdrant/connect.ts';
import { collectionExists } from '../qdrant/collections.ts';
import { comparePoints, differenceOf, hashing } from './collection-hashes.ts';
import { pointsByRows, pointsHeld, type Scope } from './collection-points.ts';
import type { MemberWriter } from './deps.ts';
import { deleteSnapshot, downloadSnapshot, listSnapshots, makeSnapshot, peersOf } from './qdrant-snapshot.ts';
import { sampleQueries } from './sampled-queries.ts';
import { snapshotNotes } from './snapshot-notes.ts';

export type CapturedCollection = Manifest['collections'][number];

/** The snapshot of a collection, or why there is none: then it is rebuilt from Postgres. */
export type CollectionCopy =
  { readonly member: Member; readonly why: null } | { readonly member: null; readonly why: string };

interface Copying {
  readonly qdrant: QdrantServer;
  readonly writer: MemberWriter;
  readonly work: string;
}

/** Made, fetched, sealed, and taken off the server's disk again. */
export async function copyCollection(
  { qdrant, writer, work }: Copying,
  collection: string,
  signal: AbortSignal,
): Promise<CollectionCopy> {
  const peers = await peersOf(qdrant, signal);
  if (peers > 1) return none(`Qdrant has ${peers} peers: the snapshot of one is not the collection`);
  if (!(await collectionExists(connectQdrant(qdrant), collection))) return none('the collection was not there');
  const notes = snapshotNotes(work);
  await notes.intend(collection, await listSnapshots(qdrant, collection));
  const snapshot = await makeSnapshot(qdrant, collection);
  await notes.note(snapshot);
  signal.throwIfAborted();
  const plain = await downloadSnapshot(qdrant, snapshot, signal);
  const name = `qdrant-${collection}.snapshot`;
  const member = await writer.seal({ name, kind: 'qdrant', compression: 'zstd' }, plain, signal);
  if (member.plain.sha256 !== snapshot.sha256) throw new Error(`What was sealed of ${collection} is not its snapshot`);
  await deleteSnapshot(qdrant, collection, snapshot.name);
  return { member, why: null };
}

export function none(why: string): CollectionCopy {
  return { member: null, why };
}

/**
 * What the collection holds of the point's generations, compared with the rows of the same moment: a copy of an index that differs
 * is no copy worth having, so its member goes, and `why` says so.
 */
export async function describeCollection(
  { qdrant: server, writer }: Copying,
  tx: TransactionSql,
  { name, scopes, copy }: { readonly name: string; readonly scopes: readonly Scope[]; readonly copy: CollectionCopy },
  signal: AbortSignal,
): Promise<CapturedCollection> {
  if (copy.member === null) return rebuilt(name, copy.why, await byRowsAlone(tx, name, scopes));
  const qdrant = connectQdrant(server);
  const compared = await comparePoints(pointsByRows(tx, name, scopes), pointsHeld(qdrant, name, scopes, signal));
  const difference = differenceOf(compared);
  if (difference !== null) {
    await writer.remove(copy.member);
    return rebuilt(name, `the collection differed from the rows: ${difference}`, compared.rows);
  }
  const { points, payloads_sha256, vectors_sha256 } = compared.held;
  const queries = await sampleQueries(tx, qdrant, name, scopes);
  return { ...{ name, member: copy.member.name, why: null }, points, payloads_sha256, vectors_sha256, queries };
}

function rebuilt(
  name: string,
  why: string,
  rows: Pick<CapturedCollection, 'points' | 'payloads_sha256'>,
): CapturedCollection {
  const { points, payloads_sha256 } = rows;
  // Made again, its vectors are equal but perhaps not to the last bit.
  return { ...{ name, member: null, why, points, payloads_sha256 }, vectors_sha256: null, queries: [] };
}

async function byRowsAlone(tx: TransactionSql, name: string, scopes: readonly Scope[]) {
  const hash = hashing();
  for await (const point of pointsByRows(tx, name, scopes)) hash.add(point);
  return hash.end();
}
