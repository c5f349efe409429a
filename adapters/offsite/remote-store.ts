import type { Readable } from 'node:stream';
import type { RemoteFile } from '../../domain/offsite/layout.ts';

export interface LocalFile {
  readonly path: string;
  readonly bytes: number;
}

/** How many more bytes have gone over. Less than nothing: what was counted has to go again. */
export type Count = (bytes: number) => void;

/**
 * What a kind of target can do. Paths are below its root, of plain characters, divided by slashes. Throws OffsiteTrouble; ends
 * when the signal that it was opened with aborts.
 */
export interface RemoteStore {
  /** What is whole below a folder, '' for all. A root that is not there has nothing in it. */
  list(folder: string): Promise<readonly RemoteFile[]>;
  /** The bytes as the target gives them back. null: there is no such file. */
  open(path: string): Promise<Readable | null>;
  /** The whole file is under its name when this ends, and nothing is before. What an earlier attempt brought over does not go again. */
  upload(file: LocalFile, path: string, count: Count): Promise<void>;
  /** A file and what was uploaded of it. Nothing there is fine. */
  remove(path: string): Promise<void>;
  /** Many of these. Then those of `folders`, inner ones first, that are empty: what somebody else put there stays. */
  removeAll(paths: readonly string[], folders: readonly string[]): Promise<void>;
  close(): Promise<void>;
}
