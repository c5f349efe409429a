import { createHash, randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import { PermanentFailure } from '../../domain/failures.ts';
import {
  createSkipList,
  type ListedItem,
  type SkipList,
  type Skipped,
  type SourceItem,
} from '../../domain/source/item.ts';
import { demandWithin } from '../../domain/source/limits.ts';
import type { SourceSpec } from '../../domain/project/source.ts';
import type { KnownItem, SourcePlaces } from '../postgres/source-places.ts';
import type { ContentStore } from '../staging/content-store.ts';
import { eachInParallel } from './each-in-parallel.ts';
import type { Opened, SourceReader } from './reader.ts';

export interface ListingDeps {
  readonly places: SourcePlaces;
  readonly contents: ContentStore;
  /** Throws NoRoom unless the disk of the content store takes so many bytes more. */
  readonly demandRoomFor: (bytes: number) => Promise<void>;
  /** Bytes of this source that the content store has. */
  readonly stagedBytes: (project: string, source: string) => Promise<number>;
}

/** Signs of life, and how long to go on. */
export interface Work {
  readonly signal: AbortSignal;
  readonly heartbeat: (progress: { readonly items: number; readonly bytes: number }) => void;
}

/** What a source holds now. */
export interface Listing {
  readonly revision: string | null;
  readonly items: number;
  readonly bytes: number;
  /** How many were read; the others are of a version that was seen before. */
  readonly read: number;
  readonly skipped: Skipped;
}

/** So many files are looked up, and written, in one statement; memory holds no more of a source than these. */
const batchSize = 500;

/**
 * Rows W2 and W6: looks at all of a source and then, in one transaction, puts what it holds in the place of what it held.
 * A listing that ends early leaves the last one as it was, and its hashes to the next attempt.
 */
export async function listSource(
  deps: ListingDeps,
  { project, spec, reader }: { readonly project: string; readonly spec: SourceSpec; readonly reader: SourceReader },
  { signal, heartbeat }: Work,
): Promise<Listing> {
  const { places } = deps;
  if (reader.kept === 'when_staged') await measure(deps, { project, spec, reader }, { signal, heartbeat });
  const at = { project, source: spec.name, attempt: randomUUID() };
  const skips = createSkipList();
  const counted = { items: 0, bytes: 0, read: 0 };
  const finish = createFinish({ ...deps, spec, reader, skips, signal });

  for await (const batch of inBatches(reader.list(skips, signal))) {
    const known = await places.known(
      project,
      spec.name,
      batch.map(({ path }) => path),
    );
    const listed: ListedItem[] = [];
    if (reader.kept === 'while_listing') await deps.demandRoomFor(spec.limits.max_file_bytes);
    await eachInParallel(reader.parallel, batch, async (item) => {
      const { found, read } = await finish(item, known.get(item.path) ?? null);
      if (read) counted.read += 1;
      if (found !== null) listed.push(found);
      counted.items += found === null ? 0 : 1;
      counted.bytes += found?.bytes ?? 0;
      demandWithin(spec.name, counted, spec.limits);
      heartbeat(counted);
    });
    await places.receive(at, listed);
    heartbeat(counted);
  }
  if (counted.items === 0 && !reader.mayBeEmpty) throw nothingMatches(spec.name);
  const listing = { revision: reader.revision, ...counted, skipped: skips.list() };
  await places.publish(at, listing);
  return listing;
}

/**
 * Looks at sizes only, which takes a fraction of the time of reading: a source that is over its limits, or that the disk
 * could never hold, is refused before a byte of it is read. What is staged already may be in place of what is asked for.
 */
async function measure(
  { demandRoomFor, stagedBytes }: ListingDeps,
  { project, spec, reader }: { readonly project: string; readonly spec: SourceSpec; readonly reader: SourceReader },
  { signal, heartbeat }: Work,
): Promise<void> {
  const total = { items: 0, bytes: 0 };
  for await (const { bytes } of reader.list(createSkipList(), signal)) {
    total.items += 1;
    total.bytes += bytes ?? 0;
    if (total.items % batchSize === 0) heartbeat({ items: 0, bytes: 0 });
  }
  demandWithin(spec.name, total, spec.limits);
  await demandRoomFor(Math.max(0, total.bytes - (await stagedBytes(project, spec.name))));
}

interface FinishDeps {
  readonly spec: SourceSpec;
  readonly reader: SourceReader;
  readonly contents: ContentStore;
  readonly skips: SkipList;
  readonly signal: AbortSignal;
}

/** From what the source says of a file to what it holds: by its version where that is known, else by reading it. */
function createFinish({ spec, reader, contents, skips, signal }: FinishDeps) {
  const mostBytes = spec.limits.max_file_bytes;
  const digest = async (opened: Opened) => {
    const keep = reader.kept === 'while_listing';
    const size = await (keep ? contents.put(opened.content, mostBytes) : hashOf(opened.content, mostBytes));
    return size === null ? null : { ...size, ...(await opened.read()) };
  };
  return async (item: SourceItem, known: KnownItem | null): Promise<{ found: ListedItem | null; read: boolean }> => {
    const kept = known !== null && (reader.kept !== 'while_listing' || (await contents.has(known.sha256)));
    if (kept && item.version !== null && item.version === known.version) {
      return { found: { ...item, ...sameContent(known) }, read: false };
    }
    const opened = await reader.open(item, kept ? known : null, { skips, signal });
    if (opened === null) return { found: null, read: false };
    if (opened === 'unchanged') return { found: known === null ? null : { ...item, ...known }, read: false };
    const facts = await digest(opened);
    if (facts === null) skips.add('too_large', item.path);
    return { found: facts === null ? null : { ...item, ...facts }, read: true };
  };
}

function sameContent({ sha256, bytes, mediaType }: KnownItem): Pick<KnownItem, 'sha256' | 'bytes' | 'mediaType'> {
  return { sha256, bytes, mediaType };
}

/** null: it is longer than it may be. */
async function hashOf(content: Readable, mostBytes: number): Promise<{ sha256: string; bytes: number } | null> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of content as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > mostBytes) return null;
    hash.update(chunk);
  }
  return { sha256: hash.digest('hex'), bytes };
}

async function* inBatches(items: AsyncIterable<SourceItem>): AsyncGenerator<readonly SourceItem[]> {
  let batch: SourceItem[] = [];
  for await (const item of items) {
    batch.push(item);
    if (batch.length < batchSize) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/** An empty folder is a disk that is not mounted more often than it is one that somebody emptied. */
function nothingMatches(source: string): PermanentFailure {
  return new PermanentFailure(
    'SourceEmpty',
    `No file of the source ${source} matches its globs. Nothing was taken for deleted: correct the globs or the path, ` +
      'or take the source out of the project to remove what came from it.',
  );
}
