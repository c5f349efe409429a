import type { NewCheck } from '../evidence.ts';
import { uuidv5 } from '../uuid.ts';
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

/** Any fixed uuid: a marker that is written twice is one. */
const markers = '2f4c1d0e-9d0b-4f5e-8d53-7f6a1f6f3c55';

/** The id of the marker of a live drill: known before it is written, so that it goes whatever comes. */
export function markerOf(drillId: string): string {
  return uuidv5(markers, drillId);
}

/** What the marker of a live drill says. */
export function markerText(drillId: string): string {
  return `Holdfast drill ${drillId}: written after the backup, gone after the restore.`;
}
