import type { ParsedDocument, Quarantined } from '../../domain/document.ts';

export interface ParseRequest {
  /** Of the staged file. */
  readonly path: string;
  /** Its path at the source: what it is called says what it is. */
  readonly name: string;
  /** As a server declared it. */
  readonly mediaType?: string;
}

export interface ParseLimits {
  readonly fileBytes: number;
  /** UTF-16 code units of extracted text. */
  readonly textUnits: number;
  readonly blocks: number;
}

/** What the pool and its children say to each other. */
export interface ToChild {
  readonly request: ParseRequest;
  readonly limits: ParseLimits;
}
export type FromChild =
  | { readonly kind: 'ready' }
  | { readonly kind: 'done'; readonly result: ParsedDocument | Quarantined }
  /** The file could not be read, which says nothing about the document. */
  | { readonly kind: 'failed'; readonly message: string };
