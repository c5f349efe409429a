export type DocumentFormat = 'markdown' | 'text' | 'code' | 'html' | 'pdf' | 'docx' | 'csv' | 'json' | 'notebook';

export type BlockKind = 'heading' | 'paragraph' | 'list' | 'quote' | 'code' | 'table' | 'data' | 'frontmatter';

/** A part of a text, in UTF-16 code units. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

export interface Block extends Range {
  readonly kind: BlockKind;
  /** Of a heading: 1 is the outermost, and what it says without markup. */
  readonly level?: number;
  readonly heading?: string;
  /** Where it is best divided when it is too long: offsets, ascending, inside the block. */
  readonly cuts?: readonly number[];
  /** What the later parts of a divided block are not understood without: a table's header, a declaration. Starts the block. */
  readonly context?: Range;
}

/** What offsets are shown as. Of lines the starts are those of the text itself; else ascending offsets, the first one 0. */
export type Places =
  { readonly unit: 'line' } | { readonly unit: 'page' | 'cell'; readonly starts: readonly number[] } | null;

/** What is in a document, whatever its format was. */
export interface DocumentContent {
  /** As the document states it; null: it states none. A file's name is no title, because a rename would embed it again. */
  readonly title: string | null;
  /** Of text formats the decoded source itself, without its byte order mark. Never NUL, never half a surrogate pair. */
  readonly text: string;
  /** Ascending, not overlapping. Text in no block is a paragraph. */
  readonly blocks: readonly Block[];
  readonly places: Places;
}

export interface ParsedDocument extends DocumentContent {
  readonly mediaType: string;
  readonly format: DocumentFormat;
}

/** Why a document is left out. It is not tried again before its bytes or its pipeline change. */
export type QuarantineReason =
  // It is not a document of ours.
  | 'binary'
  | 'unsupported_type'
  // There is nothing to find in it: no bytes, or no text as in a scanned PDF.
  | 'empty'
  | 'no_text'
  // It cannot be read.
  | 'invalid_encoding'
  | 'malformed'
  | 'encrypted'
  // It is beyond a limit.
  | 'nested_too_deep'
  | 'expands_too_far'
  | 'file_too_large'
  | 'text_too_long'
  | 'too_many_blocks'
  | 'too_many_chunks'
  // The process that read it was ended: at its memory limit, at its time limit, by somebody else (the kernel, when memory
  // ran out), or by itself. Each is tried a second time, in a new process.
  | 'memory_exceeded'
  | 'timed_out'
  | 'killed'
  | 'crashed';

export interface Quarantined {
  readonly reason: QuarantineReason;
  /** At most 300 characters, for people; names no path of the machine. */
  readonly detail: string;
  /** null: it was not known yet. */
  readonly mediaType: string | null;
}

export function isQuarantined(result: object): result is Quarantined {
  return 'reason' in result;
}
