import { Context } from '@temporalio/activity';
import { bootOn, tidyDrill } from '../adapters/drill/boot.ts';
import { bringPoint, pickPoint, type Brought } from '../adapters/drill/bring-point.ts';
import { forgetMarker, markerIsGone, writeMarker } from '../adapters/drill/marker.ts';
import type { DrillDeps } from '../adapters/drill/place.ts';
import { drillBytes, drillStructure, rehearse } from '../adapters/drill/rehearse.ts';
import type { MemoryDeps } from '../adapters/memories/points.ts';
import type { DrillStore } from '../adapters/postgres/drills.ts';
import type { Finding } from '../domain/backup/finding.ts';
import { verdictOf } from '../domain/backup/verdict.ts';
import type { DrillPoint, DrillReference } from '../domain/drill/run.ts';
import type { DrillRequest } from '../domain/drill/schemas.ts';
import type { LevelFound } from '../domain/drill/verdict.ts';
import { withHeartbeat } from './heartbeat.ts';

export interface DrillActivityDeps extends DrillDeps {
  readonly drills: Pick<DrillStore, 'provedByBoot'>;
  /** Of the live data: what a live drill marks. */
  readonly live: MemoryDeps;
}

/** A level that was looked at. */
export interface DrillLook extends LevelFound {
  readonly detail: Readonly<Record<string, unknown>>;
  readonly ms: number;
}

export interface RehearsedDrill extends DrillLook {
  readonly restore_ms: number;
  readonly compare_ms: number;
}

/** Row B9, on the box that has the points. Each may be repeated: what an attempt before it left is taken away first. */
export function createDrillActivities(deps: DrillActivityDeps) {
  async function look(level: string, work: (signal: AbortSignal) => Promise<readonly Finding[]>): Promise<DrillLook> {
    return withHeartbeat(async (signal) => {
      const from = performance.now();
      const findings = await work(signal);
      return { level, ...verdictOf(findings), ms: Math.round(performance.now() - from) };
    });
  }

  const watched = (signal: AbortSignal) => ({ signal, beat: () => Context.current().heartbeat() });

  return {
    pickDrillPoint: (request: DrillRequest): Promise<DrillPoint> =>
      withHeartbeat((signal) => pickPoint(deps, request, signal)),

    bringDrillPoint: (ref: DrillReference): Promise<Brought & { readonly ms: number }> =>
      withHeartbeat(async (signal) => {
        const from = performance.now();
        const brought = await bringPoint(deps, ref, signal);
        return { ...brought, ms: Math.round(performance.now() - from) };
      }),

    drillBytes: (ref: DrillReference): Promise<DrillLook> =>
      look('L0', (signal) => drillBytes(deps, ref, watched(signal))),

    drillStructure: (ref: DrillReference): Promise<DrillLook> =>
      look('L1', (signal) => drillStructure(deps, ref, watched(signal))),

    rehearseDrill: (ref: DrillReference, damageRow: boolean): Promise<RehearsedDrill> =>
      withHeartbeat(async (signal) => {
        const from = performance.now();
        const { findings, restore_ms, compare_ms, rebuilt } = await rehearse(deps, ref, {
          ...watched(signal),
          damageRow,
        });
        const found = verdictOf(findings);
        const ms = Math.round(performance.now() - from);
        return { level: 'L2', ...found, detail: { ...found.detail, rebuilt }, ms, restore_ms, compare_ms };
      }),

    async bootDrill(ref: DrillReference): Promise<DrillLook> {
      const found = await look('L3', (signal) => bootOn(deps, ref, signal));
      if (found.ok && ref.target === null) await deps.drills.provedByBoot(ref.stamp, new Date());
      return found;
    },

    tidyDrill: (drillId: string): Promise<void> => withHeartbeat(() => tidyDrill(deps, drillId)),

    /** Writes the memory that must be gone after the restore. */
    markLive: (drillId: string): Promise<void> => withHeartbeat(() => writeMarker(deps.live, drillId)),

    lookLive: (drillId: string, marker: string): Promise<DrillLook> =>
      look('L3', () => markerIsGone(deps.live, drillId, marker)),

    forgetMarker: (marker: string): Promise<void> => forgetMarker(deps.live, marker),
  };
}

export type DrillActivities = ReturnType<typeof createDrillActivities>;
