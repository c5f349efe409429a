import { embedWithCache } from '../adapters/embeddings/cached.ts';
import type { Embeddings } from '../adapters/embeddings/embedder.ts';
import type { GenerationWriter } from '../adapters/generations/writer.ts';
import type { ParserPool } from '../adapters/parsers/pool.ts';
import type { VectorStore } from '../adapters/postgres/vectors.ts';
import type { WaveItem, WaveItemStore } from '../adapters/postgres/wave-items.ts';
import type { Sources } from '../adapters/sources/sources.ts';
import { chunkDocument, type Chunk } from '../domain/chunk/chunk-document.ts';
import { isQuarantined, type ParsedDocument, type Quarantined } from '../domain/document.ts';
import { isPermanentFailure } from '../domain/failures.ts';
import { pipelineIn } from '../domain/wave/pipeline.ts';
import type { WaveReference } from '../domain/wave/run.ts';
import { chunksAtOnce, documentWrites, readTogether, textsOf, writtenTogether, type Cut } from './document-writes.ts';

export interface WriteBatchDeps {
  readonly items: WaveItemStore;
  readonly contents: Sources['contents'];
  readonly parsers: ParserPool;
  readonly embeddings: Embeddings;
  readonly vectors: Pick<VectorStore, 'find' | 'keep'>;
  readonly writer: Pick<GenerationWriter, 'write'>;
  readonly holdsLock: (token: string) => Promise<boolean>;
}

export type WriteBatch = ReturnType<typeof createWriteBatch>;

/** Where and until when a batch writes. */
interface Target {
  readonly ref: WaveReference;
  readonly number: number;
  readonly signal: AbortSignal;
}

/**
 * One batch of a wave: parse, chunk, embed, write. Documents that are written already are not looked at again; what cannot
 * be read is quarantined, what only this document is to blame for has failed; anything else is the whole attempt's failure,
 * to be tried again.
 */
export function createWriteBatch(deps: WriteBatchDeps) {
  const { items, parsers, contents, embeddings } = deps;

  return async (ref: WaveReference, number: number, batch: number, signal: AbortSignal): Promise<void> => {
    const target = { ref, number, signal };
    for (const some of readTogether(await items.batch(ref.wave_id, batch))) {
      // All at once: the pool decides how many are read at the same time.
      const cuts = await Promise.all(some.map((item) => cut(target, item)));
      for (const group of writtenTogether(cuts.filter((each) => each !== null))) await write(target, group);
    }
  };

  async function cut({ ref, signal }: Target, item: WaveItem): Promise<Cut | null> {
    const { sha256, path, media_type } = item;
    if (sha256 === null) throw new Error(`${path} is to be written and has no content`);
    const request = {
      path: contents.pathOf(sha256),
      name: path,
      ...(media_type === null ? {} : { mediaType: media_type }),
    };
    const parsed = await parsers.parse(request, signal);
    if (isQuarantined(parsed)) return quarantine(ref, item, parsed);
    const chunks = await chunked(ref, item, parsed);
    if (chunks === null) return null;
    return isQuarantined(chunks) ? quarantine(ref, item, chunks) : { item, parsed, chunks };
  }

  /** Pure, so that whatever it throws is this document's, every time. */
  async function chunked(
    ref: WaveReference,
    item: WaveItem,
    parsed: ParsedDocument,
  ): Promise<Chunk[] | Quarantined | null> {
    try {
      return chunkDocument(parsed);
    } catch (error) {
      await items.failed(
        ref.wave_id,
        item.seq,
        `not chunked: ${error instanceof Error ? error.message : String(error)}`,
      );
      return null;
    }
  }

  async function quarantine(
    ref: WaveReference,
    item: WaveItem,
    { reason, detail, mediaType }: Quarantined,
  ): Promise<null> {
    await items.quarantined(ref.wave_id, ref.project, item, { pipeline: pipelineIn(mediaType), reason, detail });
    return null;
  }

  /** A text that the embedder refuses fails its own document, and no other one. */
  async function write(target: Target, group: readonly Cut[]): Promise<void> {
    try {
      await embedAndWrite(target, group);
    } catch (error) {
      if (!isPermanentFailure(error) || error.type !== 'TextRefused') throw error;
      const [one] = group;
      if (group.length === 1 && one !== undefined)
        return items.failed(target.ref.wave_id, one.item.seq, `not embedded: ${error.message}`);
      for (const each of group) await write(target, [each]);
    }
  }

  async function embedAndWrite({ ref, number, signal }: Target, group: readonly Cut[]): Promise<void> {
    const texts = textsOf(group);
    const { vectors, embedded } = await vectorsOf(texts, signal);
    const counts = group.map(({ item, chunks }, at) => ({
      ...{ seq: item.seq, chunks: chunks.length },
      // Of the whole group, which only the sum is asked of.
      embedded: at === 0 ? embedded : 0,
    }));
    const generation = { project: ref.project, number, incarnation: ref.incarnation };
    await deps.writer.write(generation, documentWrites(group, texts, vectors), {
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
    texts: ReturnType<typeof textsOf>,
    signal: AbortSignal,
  ): Promise<{ vectors: (Float32Array | null)[]; embedded: number }> {
    if (embeddings.identity === null) return { vectors: texts.map(() => null), embedded: 0 };
    const all: Float32Array[] = [];
    let embedded = 0;
    for (let at = 0; at < texts.length; at += chunksAtOnce) {
      const some = texts.slice(at, at + chunksAtOnce);
      const made = await embedWithCache(embeddings, deps.vectors, some, signal);
      all.push(...made.vectors);
      embedded += made.embedded;
      // A document that is larger than that is written at its end only: a crash costs no more than one piece of it.
      if (texts.length > chunksAtOnce && made.embedded > 0) {
        const kept = some.map(({ sha256 }, nth) => ({ embedded_sha256: sha256, vector: made.vectors[nth] }));
        await deps.vectors.keep(embeddings.key, kept.filter(isMade));
      }
    }
    return { vectors: all, embedded };
  }
}

function isMade<T extends { readonly vector: Float32Array | undefined }>(one: T): one is T & { vector: Float32Array } {
  return one.vector !== undefined;
}
