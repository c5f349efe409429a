import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { z } from 'zod';
import { isPermanentFailure, PermanentFailure } from '../../domain/failures.ts';
import { noRoomOr } from '../files/no-room.ts';
import type { QdrantServer } from '../qdrant/connect.ts';
import { ask, jsonOf, QdrantRefused } from './qdrant-request.ts';

/** A snapshot as Qdrant describes it. */
export interface MadeSnapshot {
  readonly collection: string;
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

const describedSchema = z.object({
  result: z.object({ name: z.string(), size: z.number(), checksum: z.string().regex(/^[0-9a-f]{64}$/i) }),
});
const listedSchema = z.object({ result: z.array(z.object({ name: z.string() })).nullish() });
const clusterSchema = z.object({
  result: z.object({ status: z.string(), peers: z.record(z.string(), z.unknown()).optional() }),
});

/** Making one, and putting one in place, of a large collection. */
const longMs = 60 * 60_000;
const shortMs = 30_000;

/** How many peers it is of. The snapshot of one peer is not a collection (pitfalls: what it holds of others is missing). */
export async function peersOf(qdrant: QdrantServer, signal: AbortSignal): Promise<number> {
  const answer = await ask(qdrant, 'GET', '/cluster', { signal, timeoutMs: shortMs });
  const { status, peers } = clusterSchema.parse(await jsonOf(answer)).result;
  return status === 'enabled' ? Math.max(1, Object.keys(peers ?? {}).length) : 1;
}

/** Names of those on the server; none when the collection is gone. */
export async function listSnapshots(qdrant: QdrantServer, collection: string): Promise<string[]> {
  const asked = { signal: AbortSignal.timeout(shortMs), timeoutMs: shortMs, alsoFine: [404] };
  const answer = await ask(qdrant, 'GET', `/collections/${encodeURIComponent(collection)}/snapshots`, asked);
  const { result } = listedSchema.parse(await jsonOf(answer));
  return (result ?? []).map(({ name }) => name);
}

/**
 * Makes one on the server. Writers of that collection wait while it copies. Nothing ends it half way: the server would go on, and
 * nobody would know the name of what it makes.
 */
export async function makeSnapshot(qdrant: QdrantServer, collection: string): Promise<MadeSnapshot> {
  const { signal } = new AbortController();
  const path = `/collections/${encodeURIComponent(collection)}/snapshots?wait=true`;
  const answer = await ask(qdrant, 'POST', path, { signal, timeoutMs: longMs });
  const { name, size, checksum } = describedSchema.parse(await jsonOf(answer)).result;
  return { collection, name, bytes: size, sha256: checksum.toLowerCase() };
}

/** Its bytes; ends with an error when they are not those that the server named. */
export async function downloadSnapshot(
  qdrant: QdrantServer,
  { collection, name, bytes, sha256 }: MadeSnapshot,
  signal: AbortSignal,
): Promise<Readable> {
  const body = await ask(qdrant, 'GET', snapshotPath(collection, name), { signal, timeoutMs: longMs });
  return Readable.from(checked(body, { name, bytes, sha256 }), { objectMode: false });
}

/** What is gone is fine. */
export async function deleteSnapshot(qdrant: QdrantServer, collection: string, name: string): Promise<void> {
  const signal = AbortSignal.timeout(shortMs);
  const answer = await ask(qdrant, 'DELETE', snapshotPath(collection, name), {
    signal,
    timeoutMs: shortMs,
    alsoFine: [404],
  });
  answer.resume();
}

/**
 * Puts a snapshot in the place of a collection, or makes it. The snapshot counts, not what a replica has, and its checksum is
 * checked by the server, which it does only when it is sent. Throws PermanentFailure `RestoreRefused` for one that it refuses.
 */
export async function recoverFrom(
  qdrant: QdrantServer,
  collection: string,
  snapshot: { readonly plain: Readable; readonly bytes: number; readonly sha256: string },
  signal: AbortSignal,
): Promise<void> {
  const query = new URLSearchParams({ wait: 'true', priority: 'snapshot', checksum: snapshot.sha256 });
  const path = `/collections/${encodeURIComponent(collection)}/snapshots/upload?${query.toString()}`;
  const form = formOf(snapshot, uploadName(collection));
  const faults: Error[] = [];
  snapshot.plain.once('error', (error) => faults.push(error));
  try {
    (await ask(qdrant, 'POST', path, { signal, timeoutMs: longMs, ...form })).resume();
  } catch (error) {
    // What is wrong with the member counts for more than that the request broke off.
    if (faults[0] !== undefined) throw faults[0];
    // Nor is a full disk of the server a fault of the snapshot.
    const known = noRoomOr(error);
    if (isPermanentFailure(known)) throw known;
    if (error instanceof QdrantRefused)
      throw new PermanentFailure('RestoreRefused', `Qdrant refuses the snapshot for ${collection}: ${error.message}`);
    throw error;
  } finally {
    snapshot.plain.destroy();
  }
  // The server keeps what was uploaded among the collection's snapshots.
  await deleteSnapshot(qdrant, collection, uploadName(collection));
}

/** It would stay on the server's disk: nobody else knows its name. */
export function uploadName(collection: string): string {
  return `holdfast-restored-${collection}.snapshot`;
}

async function* checked(
  body: AsyncIterable<Uint8Array>,
  { name, bytes, sha256 }: Pick<MadeSnapshot, 'name' | 'bytes' | 'sha256'>,
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  let seen = 0;
  for await (const chunk of body) {
    seen += chunk.byteLength;
    hash.update(chunk);
    yield chunk;
  }
  if (seen !== bytes || hash.digest('hex') !== sha256)
    throw new Error(`Snapshot ${name} is not what Qdrant said it is`);
}

/** With its length, so that a server without room refuses it at once. */
function formOf({ plain, bytes }: { readonly plain: Readable; readonly bytes: number }, name: string) {
  const boundary = `holdfast-${createHash('sha256').update(name).digest('hex').slice(0, 24)}`;
  const head = Buffer.from(
    `--${boundary}\r\nContent-Disposition: form-data; name="snapshot"; filename="${name}"\r\nContent-Type: application/octet-stream\r\n\r\n`,
  );
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  const whole = async function* (): AsyncGenerator<Uint8Array> {
    yield head;
    yield* plain as AsyncIterable<Uint8Array>;
    yield tail;
  };
  return {
    body: Readable.from(whole(), { objectMode: false }),
    headers: {
      'content-type': `multipart/form-data; boundary=${boundary}`,
      'content-length': String(head.length + bytes + tail.length),
    },
  };
}

function snapshotPath(collection: string, name: string): string {
  return `/collections/${encodeURIComponent(collection)}/snapshots/${encodeURIComponent(name)}`;
}
