import { createHash } from 'node:crypto';
import { chunkDocument } from '../../domain/chunk/chunk-document.ts';
import { pipelineOf } from '../../domain/document-pipeline.ts';
import { isQuarantined, type ParsedDocument } from '../../domain/document.ts';
import { embeddedSha256 } from '../../domain/embedding.ts';
import { documentKey } from '../../domain/generation/ids.ts';
import type { DocumentWrite, NewChunk } from '../../domain/generation/writing.ts';
import { lexicalVersion } from '../../domain/lexical/terms.ts';
import { chunkWeights } from '../../domain/lexical/weights.ts';
import type { TestDocument } from './test-collection.ts';

const mediaType = 'text/plain';
export const scratchSource = 'corpus';

/** A document to be written, its chunks without vectors, and what they are embedded by. */
export interface ScratchDocument {
  readonly write: DocumentWrite;
  readonly texts: readonly { readonly sha256: Uint8Array; readonly text: string }[];
}

/** Chunked as any document of a source: the title stands as a heading above the text. null: there is nothing in it. */
export function scratchDocument(project: string, { id, title, text }: TestDocument): ScratchDocument | null {
  const parsed = parsedDocument(storable(title).trim(), storable(text).trim());
  if (parsed.text.trim() === '') return null;
  const chunks = chunkDocument(parsed);
  if (isQuarantined(chunks)) throw new Error(`document ${id}: ${chunks.reason}: ${chunks.detail}`);
  const bytes = Buffer.from(parsed.text);
  const document = {
    key: documentKey(project, scratchSource, id, 0),
    ...{ source: scratchSource, path: id, uri: null, title: parsed.title ?? id, media_type: mediaType },
    ...{ kind: 'corpus' as const, as_of: null, view: null, item: null, supersedes: null },
    content_sha256: createHash('sha256').update(bytes).digest(),
    pipeline: `${pipelineOf(mediaType)} ${lexicalVersion}`,
    bytes: bytes.length,
  };
  const texts = chunks.map(({ embedded }) => ({ sha256: embeddedSha256(embedded), text: embedded }));
  const rows = chunks.map((chunk, index): NewChunk => {
    const { indices, values } = chunkWeights(chunk.embedded, chunk.heading);
    return {
      ...{ ordinal: chunk.ordinal, heading: chunk.heading, text_start: chunk.start, text_end: chunk.end },
      ...{ place: chunk.place, text: chunk.text, embedded_sha256: texts[index]?.sha256 ?? new Uint8Array() },
      ...{ terms: indices, weights: values, vector: null },
    };
  });
  return { write: { document, chunks: rows }, texts };
}

function parsedDocument(title: string, text: string): ParsedDocument {
  const rest = { mediaType, format: 'text' as const, places: null };
  if (title === '') return { ...rest, title: null, text, blocks: [] };
  const heading = { kind: 'heading' as const, start: 0, end: title.length, level: 1, heading: title };
  return { ...rest, title, text: `${title}\n\n${text}`, blocks: [heading] };
}

/** Postgres keeps no NUL and no half of a pair. */
function storable(text: string): string {
  return text.replaceAll('\0', ' ').replace(/\p{Surrogate}/gu, '\ufffd');
}
