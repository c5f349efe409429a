import type { StackError } from './stack-error.ts';

export interface Found {
  readonly path: string;
  /** Where it came from, for people. */
  readonly origin: string;
}

/** One way to come by a server; null: there is nothing this way. */
export type Way<T = Found> = () => Promise<T | null>;

/** This way is closed, in one line that people should read. The next one is tried; anything else that is thrown ends the search. */
export class WayClosed extends Error {
  override readonly name: string = 'WayClosed';
}

export interface Search {
  readonly say: (line: string) => void;
  /** What is thrown when no way is left, given why each was closed. */
  readonly otherwise: (closed: readonly string[]) => StackError;
}

/** What the first open way leads to. Ways are tried in order, none before the one before it has failed. */
export async function firstFound<T>(ways: readonly Way<T>[], { say, otherwise }: Search): Promise<T> {
  const closed: string[] = [];
  for (const way of ways) {
    try {
      const found = await way();
      if (found !== null) return found;
    } catch (error) {
      if (!(error instanceof WayClosed)) throw error;
      closed.push(error.message);
      say(error.message);
    }
  }
  throw otherwise(closed);
}
