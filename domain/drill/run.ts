import type { NewCheck } from '../evidence.ts';
import type { DrillRequest } from './schemas.ts';
import type { DrillPhase, DrillTrigger } from './words.ts';

/** The id of the run is the lock: one drill at a time. */
export const drillWorkflowId = 'drill';

/** What is asked for where nothing is said; domain/drill/schemas.ts says the same. */
export const usualDrill: DrillRequest = { level: 'scratch', from: 'local', damaged: false, confirm_live: false };

/** Who asked for a drill, and where it works. References only, never contents. */
export interface DrillInput {
  readonly drill_id: string;
  /** Where points are kept. */
  readonly box: string;
  readonly actor: string;
  readonly trigger: DrillTrigger;
  readonly request: DrillRequest;
}

/** The point of a drill. */
export interface DrillPoint {
  readonly stamp: string;
  /** Where it is read back from; null: it is on this box. */
  readonly target: string | null;
}

/** A drill in scratch, as its activities know it. */
export interface DrillReference extends DrillPoint {
  readonly drill_id: string;
  readonly damaged: boolean;
}

export type DrillEvidence = NewCheck<DrillPhase>;

/** Of scratch databases and collections: of this drill alone, and found again by whoever tidies up. */
export function scratchOfDrill(drillId: string): string {
  return `drill_${drillId.replaceAll('-', '').slice(0, 12)}`;
}

/** What the marker of a live drill says. */
export function markerText(drillId: string): string {
  return `Holdfast drill ${drillId}: written after the backup, gone after the restore.`;
}
