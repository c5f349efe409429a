/** Where an answer begins or ends in the log of one instance. Opaque to callers: each driver has its own. */
export type LogPosition = string;

export interface LogPage {
  readonly lines: readonly string[];
  /** Of the first line returned (where the next one will be, when there is none). */
  readonly start: LogPosition;
  /** Behind the last line returned. */
  readonly next: LogPosition;
  /** Behind the last line there is now. */
  readonly end: LogPosition;
  /** Lines between `from` and `start` are gone: the log was rotated away, or its writer says that it lost some. */
  readonly truncated: boolean;
  /** Is there more behind `next` now? */
  readonly more: boolean;
  /** What came behind `end` is gone: the log was removed, or its writer died before it had written everything. */
  readonly lost_end?: boolean;
}

/** Thrown for a position that the source never gave. */
export class BadPosition extends Error {
  override readonly name = 'BadPosition';
}

/** The log of one instance at a time, in whole lines without their newline. Reading changes nothing. */
export interface LogSource {
  /** From a position on, or the first line there is (null), at most `limit` lines. Throws BadPosition. */
  read(instance: { service: string; instance: string }, from: LogPosition | null, limit: number): Promise<LogPage>;
  /** The last `limit` lines. */
  tail(instance: { service: string; instance: string }, limit: number): Promise<LogPage>;
}
