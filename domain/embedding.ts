import { sha256 } from '@noble/hashes/sha2.js';
import { utf8ToBytes } from '@noble/hashes/utils.js';

/** What is stored, and what is asked: some models want to be told which of the two a text is. */
export type TextKind = 'passage' | 'query';

/** What decides a vector, beside the text. Vectors of two identities are never compared. */
export interface EmbeddingIdentity {
  readonly model: string;
  /** Of the weights, in hex; null where another server has them. */
  readonly sha256: string | null;
  readonly dimensions: number;
  /** `served`: whatever the server does. */
  readonly pooling: 'mean' | 'served';
  /** Word pieces, the two special ones included; what is longer is cut. null: the server's affair. */
  readonly max_tokens: number | null;
  /** Stands before the text. */
  readonly prefix: Readonly<Record<TextKind, string>>;
}

/** What was asked for. */
export type EmbeddingSettings =
  | { readonly kind: 'none' }
  /** A model in this process. `folder`: where it is; null: there is none. */
  | { readonly kind: 'local'; readonly folder: string | null; readonly threads: number }
  | {
      readonly kind: 'served';
      readonly url: string;
      readonly key: string | null;
      readonly model: string;
      readonly dimensions: number;
      readonly prefix: Readonly<Record<TextKind, string>>;
    };

/** The key where nothing is embedded at all. */
export const lexicalOnly = 'none';

/** The name of an identity, the same for equal ones: `model:dimensions:pooling:max tokens:sha256[:prefixes]`. */
export function embeddingKey({
  model,
  sha256: weights,
  dimensions,
  pooling,
  max_tokens,
  prefix,
}: EmbeddingIdentity): string {
  const parts = [model.replaceAll(':', '%3A'), dimensions, pooling, max_tokens ?? '-', weights?.slice(0, 12) ?? '-'];
  const prefixes = prefix.passage + prefix.query;
  return [...parts, ...(prefixes === '' ? [] : [prefixTag(prefix)])].join(':');
}

/** Of the vectors under a key; null: there are none. Throws on what is no key. */
export function dimensionsOf(key: string): number | null {
  if (key === lexicalOnly) return null;
  const dimensions = Number(/^[^:]+:(\d+):/.exec(key)?.[1]);
  if (Number.isNaN(dimensions)) throw new Error(`Not the key of an embedding: ${key}`);
  return dimensions;
}

/** What stands for a chunk when it is embedded and when its words are counted: the path of headings, then the text. */
export function textToEmbed(heading: readonly string[], text: string): string {
  return heading.length === 0 ? text : `${heading.join(' > ')}\n\n${text}`;
}

/** Of what is embedded, without the identity's prefix: 32 bytes. */
export function embeddedSha256(text: string): Uint8Array {
  return sha256(utf8ToBytes(text));
}

/** Of length 1, in place; all zeros stay as they are. */
export function normalise(vector: Float32Array): Float32Array {
  let squares = 0;
  for (const value of vector) squares += value * value;
  if (squares === 0) return vector;
  const factor = 1 / Math.sqrt(squares);
  for (let at = 0; at < vector.length; at += 1) vector[at] = (vector[at] ?? 0) * factor;
  return vector;
}

/** Of normalised vectors: 1 for the same direction. */
export function cosine(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let at = 0; at < a.length; at += 1) sum += (a[at] ?? 0) * (b[at] ?? 0);
  return sum;
}

function prefixTag({ passage, query }: EmbeddingIdentity['prefix']): string {
  const sum = sha256(utf8ToBytes(JSON.stringify([passage, query])));
  return [...sum.slice(0, 4)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
