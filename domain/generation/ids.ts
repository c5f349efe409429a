import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { canonicalJson } from '../canonical-json.ts';
import { uuidv5 } from '../uuid.ts';

// Any fixed uuids; other ones would make other ids for everything that is stored.
const documents = '1f0c9f5e-6a3b-5d27-9c41-0b6f2d8e7a13';
const chunks = '8b7d3a64-2c5e-5f90-b1d8-4e6a9c0f7b25';

/** Everything that an incarnation of a chunk is made of, apart from its lifetime and its vector. */
export interface ChunkContent {
  /** The key of its document. */
  readonly document: string;
  readonly ordinal: number;
  readonly heading: readonly string[];
  /** UTF-16 code units into the document's text. */
  readonly text_start: number;
  readonly text_end: number;
  /** Lines, pages: small and plain JSON. */
  readonly place: Readonly<Record<string, unknown>>;
  readonly kind: string;
  readonly embedded_sha256: Uint8Array;
}

/**
 * What renames keep: of the document that came to a project at this path when this generation was visible. A path that is
 * freed and taken again holds another document.
 */
export function documentKey(project: string, source: string, firstPath: string, visible: number): string {
  return uuidv5(documents, JSON.stringify(['key', project, source, firstPath, visible]));
}

/** G2. Of a version of a document. */
export function documentId(project: string, key: string, born: number): string {
  return uuidv5(documents, JSON.stringify(['version', project, key, born]));
}

/** The same for the same content: a chunk whose key is alive already is not written again. */
export function chunkKey({ embedded_sha256, place, ...content }: ChunkContent): string {
  const { document, ordinal, heading, text_start, text_end, kind } = content;
  const where = [document, ordinal, heading, text_start, text_end, kind];
  return JSON.stringify([...where, canonicalJson(place), bytesToHex(embedded_sha256)]);
}

/** G2. Of an incarnation, as a row and as a point. */
export function chunkId(project: string, key: string, born: number): string {
  return uuidv5(chunks, JSON.stringify([project, key, born]));
}

/** G11. One for an embedding identity and what makes terms; installations that share a server have prefixes of their own. */
export function collectionName(identity: string, lexical: string, prefix = 'holdfast'): string {
  return `${prefix}-${bytesToHex(sha256(utf8ToBytes(JSON.stringify([identity, lexical])))).slice(0, 20)}`;
}
