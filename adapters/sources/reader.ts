import type { Readable } from 'node:stream';
import type { SkipList, SourceItem } from '../../domain/source/item.ts';

/** A version that was seen before. */
export interface KnownVersion {
  readonly version: string | null;
  readonly bytes: number;
}

/** A file that is being read. */
export interface Opened {
  readonly content: Readable;
  /** Known once all of `content` was read. */
  readonly read: () => Promise<ReadFacts>;
}

export interface ReadFacts {
  /** null: it cannot be told whether the next look will find the same bytes. */
  readonly version: string | null;
  readonly modifiedAt: Date | null;
  readonly mediaType: string | null;
}

/** Where the truth of a source is read from. Whatever cannot be read is an error; only what is not there is passed over. */
export interface SourceReader {
  /** The commit of a git repository; else null. */
  readonly revision: string | null;
  /** Every file once. Leaves out, and says so, what no source may bring: links, special files, names that are no text. */
  list(skips: SkipList, signal: AbortSignal): AsyncIterable<SourceItem>;
  /** null: it is gone by now, or too large to be taken. `unchanged`: it still is the version that is known. */
  open(
    item: Pick<SourceItem, 'path' | 'uri' | 'version'>,
    known: KnownVersion | null,
    options: OpenOptions,
  ): Promise<Opened | 'unchanged' | null>;
  close(): Promise<void>;
  /**
   * When its bytes come into the content store. `while_listing`: a second look could bring other bytes, and costs the other
   * side. `before`: they have been there since they were uploaded.
   */
  readonly kept: 'before' | 'while_listing' | 'when_staged';
  /** Files that are read side by side. */
  readonly parallel: number;
  /** A source that holds nothing is one that somebody emptied, and not one whose disk is away. */
  readonly mayBeEmpty: boolean;
}

export interface OpenOptions {
  readonly skips: SkipList;
  readonly signal: AbortSignal;
}
