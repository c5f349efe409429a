import type { QdrantClient } from '@qdrant/js-client-rest';
import type { Mark } from '../../domain/generation/comparison.ts';
import { keptDays, type GarbageStep } from '../../domain/generation/garbage.ts';
import type { Sql } from '../postgres/connect.ts';
import { createGarbageStore, type GarbageScope } from '../postgres/garbage.ts';
import { createLifetimeStore } from '../postgres/lifetimes.ts';
import { dropOldWaveItems } from '../postgres/old-wave-items.ts';
import type { PinStore } from '../postgres/pins.ts';
import { dropUnusedVectors } from '../postgres/unused-vectors.ts';
import { collectionExists } from '../qdrant/collections.ts';
import { pageOfPoints, type Guard } from '../qdrant/points.ts';
import { createRepair } from './repair.ts';

export type Garbage = ReturnType<typeof createGarbage>;

/**
 * Sweeping and collecting in both stores (G6), in small steps that each may be the last one of a process. Rows go first, which
 * is what readers go by, then the points that have none. Points of a late writer, which never had rows, go with them. Throws
 * PermanentFailure `IncarnationChanged`, and whatever the guard throws.
 */
export function createGarbage(deps: {
  readonly sql: Sql;
  /** The operations database. */
  readonly ops: Sql;
  readonly qdrant: QdrantClient;
  readonly pins: Pick<PinStore, 'list'>;
}) {
  const { sql, ops, qdrant } = deps;
  const rows = createGarbageStore(deps);
  const lifetimes = createLifetimeStore(sql);
  const repair = createRepair({ sql, qdrant });

  /** One page of points is made what the rows say. False: there are none in this range. */
  async function cleanPage(scope: GarbageScope, guard: Guard, range: Range, gcFloor: number): Promise<boolean> {
    const { project, incarnation } = scope;
    for (const collection of (await lifetimes.collections(project)).keys()) {
      if (!(await collectionExists(qdrant, collection))) continue;
      const { points } = await pageOfPoints(qdrant, { collection, project }, range, null);
      if (points.length === 0) continue;
      const { redated, removed } = await repair.points(
        { project, incarnation, gc_floor: gcFloor, guard },
        collection,
        points,
      );
      if (redated + removed < points.length) throw new Error(`Rows of ${project} have changed while it was cleaned`);
      return true;
    }
    return false;
  }

  return {
    nextToSweep: (project: string): Promise<number | null> => rows.nextToSweep(project),
    raiseFloor: (scope: GarbageScope): Promise<number> => rows.raiseFloor(scope),

    /** A piece of the sweep of a discarded or rolled-back number. */
    async sweep(scope: GarbageScope, number: number, settleMs: number, guard: Guard): Promise<GarbageStep> {
      const step = await rows.sweep(scope, number, settleMs);
      if (step.state !== 'done') return step;
      for (const mark of ['born', 'died'] as const) {
        if (await cleanPage(scope, guard, { mark, least: number, most: number }, 0)) return { state: 'more' };
      }
      await rows.endSweep(scope, number);
      return { state: 'done' };
    },

    /** A piece of what died up to the floor, which was raised long enough ago. */
    async collect(scope: GarbageScope, floor: number, guard: Guard): Promise<GarbageStep> {
      const step = await rows.collect(scope, floor);
      if (step.state !== 'done') return step;
      const cleaned = await cleanPage(scope, guard, { mark: 'died', least: 0, most: floor }, floor);
      if (cleaned) return { state: 'more' };
      const more =
        (await dropOldWaveItems({ data: sql, ops }, scope.project, keptDays)) ||
        (await dropUnusedVectors(sql, keptDays));
      return { state: more ? 'more' : 'done' };
    },
  };
}

interface Range {
  readonly mark: Mark;
  readonly least: number;
  readonly most: number;
}
