import { lexicalOnly, type EmbeddingIdentity, type TextKind } from '../../domain/embedding.ts';

/** Turns texts into vectors of one identity. */
export interface Embedder {
  readonly identity: EmbeddingIdentity;
  /** Of the identity: what rows and collections are named by. */
  readonly key: string;
  /**
   * One vector a text, in their order, each of length 1. Rejects with the signal's reason when it is aborted, with
   * PermanentFailure EmbeddingMismatch when the model is not the one of the identity, TextRefused when it takes one of these
   * texts never; after anything else another try may help.
   */
  embed(texts: readonly string[], kind: TextKind, signal: AbortSignal): Promise<Float32Array[]>;
  /** Loads the model, or asks the server once. Rejects as `embed` does. */
  ready(): Promise<void>;
  close(): Promise<void>;
}

/** No embedder: there is only search by words, and every answer says so. Nothing is ever put in the place of a model. */
export interface LexicalOnly {
  readonly identity: null;
  readonly key: typeof lexicalOnly;
  /** For people. */
  readonly reason: string;
  /** It is what was asked for; else a model is missing. */
  readonly isAsked: boolean;
  close(): Promise<void>;
}

export type Embeddings = Embedder | LexicalOnly;

export function createLexicalOnly(reason: string, { isAsked = true } = {}): LexicalOnly {
  return { identity: null, key: lexicalOnly, reason, isAsked, close: () => Promise.resolve() };
}
