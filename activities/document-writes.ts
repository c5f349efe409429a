import { basename } from 'node:path/posix';
import type { WaveItem } from '../adapters/postgres/wave-items.ts';
import type { Chunk } from '../domain/chunk/chunk-document.ts';
import type { ParsedDocument } from '../domain/document.ts';
import { embeddedSha256 } from '../domain/embedding.ts';
import type { DocumentWrite, NewChunk } from '../domain/generation/writing.ts';
import { chunkWeights } from '../domain/lexical/weights.ts';
import { pipelineIn } from '../domain/wave/pipeline.ts';

/** A document that was read and cut, and not embedded yet. */
export interface Cut {
  readonly item: WaveItem;
  readonly parsed: ParsedDocument;
  readonly chunks: readonly Chunk[];
}

/** So many chunks are embedded and written at once: what memory holds, and what a crash costs. */
export const chunksAtOnce = 256;
/** Bytes of files that are read at the same time; a larger one is alone. */
const bytesAtOnce = 8 * 1024 ** 2;

/** In their order, what is read together. */
export function readTogether(items: readonly WaveItem[]): WaveItem[][] {
  return inGroups(items, bytesAtOnce, ({ bytes }) => bytes);
}

/** In their order, what is written together; a document is never divided. */
export function writtenTogether(cuts: readonly Cut[]): Cut[][] {
  return inGroups(cuts, chunksAtOnce, ({ chunks }) => chunks.length);
}

function inGroups<T>(all: readonly T[], most: number, sizeOf: (one: T) => number): T[][] {
  const groups: T[][] = [];
  let size = 0;
  for (const one of all) {
    const last = groups.at(-1);
    const fits = last !== undefined && size + sizeOf(one) <= most;
    if (fits) last.push(one);
    else groups.push([one]);
    size = (fits ? size : 0) + sizeOf(one);
  }
  return groups;
}

/** What is embedded of some documents, chunk by chunk, in their order. */
export function textsOf(cuts: readonly Cut[]): { readonly text: string; readonly sha256: Uint8Array }[] {
  return cuts.flatMap(({ chunks }) => chunks.map(({ embedded: text }) => ({ text, sha256: embeddedSha256(text) })));
}

/** `vectors`: one a chunk of all of them, in their order; null: nothing is embedded. */
export function documentWrites(
  cuts: readonly Cut[],
  texts: ReturnType<typeof textsOf>,
  vectors: readonly (Float32Array | null)[],
): DocumentWrite[] {
  let at = 0;
  return cuts.map((cut) => {
    const chunks = cut.chunks.map((chunk): NewChunk => {
      const [text, vector] = [texts[at], vectors[at] ?? null];
      at += 1;
      if (text === undefined) throw new Error('a chunk without its text');
      return newChunk(chunk, text.sha256, vector);
    });
    return documentOf(cut, chunks);
  });
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
