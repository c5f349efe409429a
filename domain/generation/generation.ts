/** What is not dead: the largest integer that every client keeps exact, so that a filter never has to know of null. */
export const alive = 9_007_199_254_740_991;

export const generationStates = ['writing', 'proved', 'committed', 'rolled_back', 'discarded', 'swept'] as const;
export type GenerationState = (typeof generationStates)[number];

/** Not over: its wave may still commit it. */
export const unfinishedStates = ['writing', 'proved'] as const satisfies readonly GenerationState[];
/** Over, never to be seen, and still there in part: nothing is written before they are swept. */
export const unsweptStates = ['rolled_back', 'discarded'] as const satisfies readonly GenerationState[];

/** The right to write a generation. It travels in payloads, and every write shows it. */
export interface GenerationRef {
  readonly project: string;
  readonly number: number;
  /** G4: of the database in which the generation was begun. */
  readonly incarnation: string;
}

/** When something is to be seen: from the generation of its birth up to that of its death, which does not see it any more. */
export interface Lifetime {
  readonly born: number;
  readonly died: number;
}

export function aliveAt({ born, died }: Lifetime, generation: number): boolean {
  return born <= generation && died > generation;
}

/** The longest that a request of a reader may live, and with it the number that it read at its beginning. */
export const readerBoundMs = 30_000;
/** The longest that Temporal may take to notice that an attempt of a writer is gone: no heartbeat timeout may be longer. */
export const heartbeatBoundMs = 20_000;
/** The hard timeout of a request to Qdrant. */
export const requestBoundMs = 30_000;
/** G6: after this long nobody holds a number any more, neither a reader nor a writer that came too late. */
export const settleMs = Math.max(readerBoundMs, heartbeatBoundMs + requestBoundMs);
