import type { Garbage } from '../adapters/generations/collection.ts';
import type { PinStore } from '../adapters/postgres/pins.ts';
import type { RunOfLock } from '../domain/lock.ts';
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
  readonly pins: Pick<PinStore, 'ofBackups' | 'unpin'>;
  readonly isClosed: (run: RunOfLock) => Promise<boolean>;
}

/** What waves leave behind (G6). Each works until there is nothing left to do, or something in the way. */
export function createCollectActivities({ garbage, incarnation, pins, isClosed }: CollectDeps) {
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

    /** Pins of backups that are over, however they ended, hold nothing any more. */
    async nextToSweep({ project }: CollectRef): Promise<number | null> {
      for (const { owner, run, closed } of await pins.ofBackups())
        if (closed || (await isClosed(run))) await pins.unpin(owner);
      return garbage.nextToSweep(project);
    },

    sweepGeneration: (ref: CollectRef, number: number, settleMs: number): Promise<GarbageEnd> =>
      untilOver((guard) => garbage.sweep(ref, number, settleMs, guard)),

    raiseFloor: (ref: CollectRef): Promise<number> => garbage.raiseFloor(ref),

    collectDead: (ref: CollectRef, floor: number): Promise<GarbageEnd> =>
      untilOver((guard) => garbage.collect(ref, floor, guard)),
  };
}

export type CollectActivities = ReturnType<typeof createCollectActivities>;
