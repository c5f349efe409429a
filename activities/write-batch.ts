import { basename } from 'node:path/posix';
import { embedWithCache } from '../adapters/embeddings/cached.ts';
import type { Embeddings } from '../adapters/embeddings/embedder.ts';
import type { GenerationWriter } from '../adapters/generations/writer.ts';
import type { ParserPool } from '../adapters/parsers/pool.ts';
import type { VectorStore } from '../adapters/postgres/vectors.ts';
import type { WaveItem, WaveItemStore } from '../adapters/postgres/wave-items.ts';
import type { Sources } from '../adapters/sources/sources.ts';
import { chunkDocument, type Chunk } from '../domain/chunk/chunk-document.ts';
import { isQuarantined, type ParsedDocument, type Quarantined } from '../domain/document.ts';
import type { DocumentWrite, NewChunk } from '../domain/generation/writing.ts';
import { embeddedSha256 } from '../domain/embedding.ts';
import { chunkWeights } from '../domain/lexical/weights.ts';
import { pipelineIn } from '../domain/wave/pipeline.ts';
import type { WaveReference } from '../domain/wave/run.ts';

export interface WriteBatchDeps {
  readonly items: WaveItemStore;
  readonly contents: Sources['contents'];
  readonly parsers: ParserPool;
  readonly embeddings: Embeddings;
  readonly vectors: Pick<VectorStore, 'find'>;
  readonly writer: Pick<GenerationWriter, 'write'>;
  readonly holdsLock: (token: string) => Promise<boolean>;
}

export type WriteBatch = ReturnType<typeof createWriteBatch>;

/** A document that was read and cut, and not embedded yet. */
interface Cut {
  readonly item: WaveItem;
  readonly parsed: ParsedDocument;
  readonly chunks: readonly Chunk[];
}

/** So many chunks are embedded and written at once: what memory holds, and what a crash costs. */
const chunksAtOnce = 256;

/**
 * One batch of a wave: parse, chunk, embed, write. Documents that are written already are not looked at again; what cannot
 * be read is quarantined; anything else that fails is the whole attempt's failure, to be tried again.
 */
export function createWriteBatch(deps: WriteBatchDeps) {
  const { items, parsers, contents } = deps;

  return async (ref: WaveReference, number: number, batch: number, signal: AbortSignal): Promise<void> => {
    const todo = await items.batch(ref.wave_id, batch);
    // All at once: the pool decides how many are read at the same time.
    const cuts = await Promise.all(todo.map((item) => cut(ref, item, signal)));
    for (const group of grouped(cuts.filter((each) => each !== null))) await write(ref, number, group, signal);
  };

  async function cut(ref: WaveReference, item: WaveItem, signal: AbortSignal): Promise<Cut | null> {
    const { sha256, path, media_type } = item;
    if (sha256 === null) throw new Error(`${path} is to be written and has no content`);
    const request = {
      path: contents.pathOf(sha256),
      name: path,
      ...(media_type === null ? {} : { mediaType: media_type }),
    };
    const parsed = await parsers.parse(request, signal);
    if (isQuarantined(parsed)) return quarantine(ref, item, parsed);
    const chunks = chunkDocument(parsed);
    return isQuarantined(chunks) ? quarantine(ref, item, chunks) : { item, parsed, chunks };
  }

  async function quarantine(
    ref: WaveReference,
    item: WaveItem,
    { reason, detail, mediaType }: Quarantined,
  ): Promise<null> {
    await items.quarantined(ref.wave_id, ref.project, item, { pipeline: pipelineIn(mediaType), reason, detail });
    return null;
  }

  async function write(ref: WaveReference, number: number, group: readonly Cut[], signal: AbortSignal): Promise<void> {
    const { documents, embedded } = await vectorsOf(group, signal);
    const counts = group.map(({ item, chunks }, at) => ({
      ...{ seq: item.seq, chunks: chunks.length },
      // Of the whole group, which only the sum is asked of.
      embedded: at === 0 ? embedded : 0,
    }));
    await deps.writer.write({ project: ref.project, number, incarnation: ref.incarnation }, documents, {
      signal,
      also: (tx) => items.stored(tx, ref.wave_id, counts),
      holds: () => deps.holdsLock(ref.lock_token),
    });
    await items.written(
      ref.wave_id,
      counts.map(({ seq }) => seq),
    );
  }

  async function vectorsOf(
    group: readonly Cut[],
    signal: AbortSignal,
  ): Promise<{ documents: DocumentWrite[]; embedded: number }> {
    const texts = group.flatMap(({ chunks }) =>
      chunks.map(({ embedded: text }) => ({ text, sha256: embeddedSha256(text) })),
    );
    const { embeddings, vectors: cache } = deps;
    const made =
      embeddings.identity === null
        ? { vectors: texts.map(() => null), embedded: 0 }
        : await embedWithCache(embeddings, cache, texts, signal);
    let at = 0;
    const documents = group.map((one) => {
      const chunks = one.chunks.map((chunk): NewChunk => {
        const [text, vector] = [texts[at], made.vectors[at] ?? null];
        at += 1;
        if (text === undefined) throw new Error('a chunk without its text');
        return newChunk(chunk, text.sha256, vector);
      });
      return documentOf(one, chunks);
    });
    return { documents, embedded: made.embedded };
  }
}

function* grouped(cuts: readonly Cut[]): Generator<readonly Cut[]> {
  let group: Cut[] = [];
  let chunks = 0;
  for (const one of cuts) {
    if (group.length > 0 && chunks + one.chunks.length > chunksAtOnce) {
      yield group;
      [group, chunks] = [[], 0];
    }
    group.push(one);
    chunks += one.chunks.length;
  }
  if (group.length > 0) yield group;
}

function newChunk(chunk: Chunk, embedded_sha256: Uint8Array, vector: Float32Array | null): NewChunk {
  const { indices, values } = chunkWeights(chunk.embedded, chunk.heading);
  return {
    ordinal: chunk.ordinal,
    heading: chunk.heading,
    text_start: chunk.start,
    text_end: chunk.end,
    place: chunk.place,
    text: chunk.text,
    embedded_sha256,
    terms: indices,
    weights: values,
    vector,
  };
}

function documentOf({ item, parsed }: Cut, chunks: readonly NewChunk[]): DocumentWrite {
  const { listed } = item;
  return {
    document: {
      key: item.document,
      source: item.source,
      path: item.path,
      uri: item.uri,
      title: parsed.title ?? basename(item.path),
      media_type: parsed.mediaType,
      kind: listed === null ? 'corpus' : 'trusted_operational',
      as_of: listed?.as_of ?? null,
      view: listed?.kind ?? null,
      item: listed?.name ?? null,
      supersedes: listed?.supersedes ?? null,
      content_sha256: Buffer.from(item.sha256 ?? '', 'hex'),
      pipeline: pipelineIn(parsed.mediaType),
      bytes: item.bytes,
    },
    chunks,
  };
}
