import type { Holdfast } from './holdfast.ts';

/** What a chapter needs: the command line, a folder of its own, and somewhere to tell the story. */
export interface Stage {
  readonly holdfast: Holdfast;
  readonly folder: string;
  readonly tell: (line: string) => void;
}

/** One thing that the demo saw hold, and where to look at it. */
export interface Proved {
  readonly what: string;
  readonly link: string | null;
}

/** A pipeline walked on real input. Throws when anything is not as it should be. */
export type Chapter = (stage: Stage) => Promise<readonly Proved[]>;

/** The demo's only assertion: what was expected, and what was there instead. */
export function mustBe<T>(what: string, actual: T, expected: T): void {
  if (actual === expected) return;
  throw new Error(`${what}: expected ${JSON.stringify(expected)}, found ${JSON.stringify(actual)}`);
}
