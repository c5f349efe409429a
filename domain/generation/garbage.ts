import { settleMs } from './generation.ts';

/** How far a step came. `more`: there is another one to take. */
export type GarbageStep =
  | { readonly state: 'done' }
  | { readonly state: 'more' }
  /** Somebody may still hold the number. */
  | { readonly state: 'waiting'; readonly ms: number }
  /** G7: by the generations that are pinned. */
  | { readonly state: 'pinned'; readonly pins: readonly number[] };

/** So long after nothing needs it any more a vector goes, which is a cache, and what a wave had to do after it was closed. */
export const keptDays = 30;

/** What collect/<project> is started with. */
export interface CollectInput {
  readonly project: string;
  /** Left out: as long as G6 says. */
  readonly settle_ms?: number;
  /** Left out: how often it looks whether a pin is gone. */
  readonly look_ms?: number;
}

export const collectDefaults = { settle_ms: settleMs, look_ms: 30_000 };

/** One at a time for each project. */
export function collectWorkflowId(project: string): string {
  return `collect/${project}`;
}

/** To collect/<project>: there is something more to be done. */
export const collectSignal = 'collect_again';
