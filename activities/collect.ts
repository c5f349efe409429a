import type { Garbage } from '../adapters/generations/collection.ts';
import type { GarbageStep } from '../domain/generation/garbage.ts';
import { withHeartbeat } from './heartbeat.ts';

/** Of the database that is cleaned. */
export interface CollectRef {
  readonly project: string;
  readonly incarnation: string;
}

/** `more` is nothing that a run has to know. */
export type GarbageEnd = Exclude<GarbageStep, { state: 'more' }>;

export interface CollectDeps {
  readonly garbage: Garbage;
  readonly incarnation: () => Promise<string>;
}

/** What waves leave behind (G6). Each works until there is nothing left to do, or something in the way. */
export function createCollectActivities({ garbage, incarnation }: CollectDeps) {
  const untilOver = (step: (guard: () => Promise<void>) => Promise<GarbageStep>): Promise<GarbageEnd> =>
    withHeartbeat(async (signal) => {
      for (;;) {
        signal.throwIfAborted();
        const end = await step(async () => signal.throwIfAborted());
        if (end.state !== 'more') return end;
      }
    });

  return {
    databaseOfCollection: (): Promise<string> => incarnation(),

    nextToSweep: ({ project }: CollectRef): Promise<number | null> => garbage.nextToSweep(project),

    sweepGeneration: (ref: CollectRef, number: number, settleMs: number): Promise<GarbageEnd> =>
      untilOver((guard) => garbage.sweep(ref, number, settleMs, guard)),

    raiseFloor: (ref: CollectRef): Promise<number> => garbage.raiseFloor(ref),

    collectDead: (ref: CollectRef, floor: number): Promise<GarbageEnd> =>
      untilOver((guard) => garbage.collect(ref, floor, guard)),
  };
}

export type CollectActivities = ReturnType<typeof createCollectActivities>;
