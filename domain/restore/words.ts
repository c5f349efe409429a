/**
 * Prepare: preflight, lock, safety_point. Apply: beside, compare, swap. Prove: health. Keep or put back: held, and then release or
 * undo; put_back where it could not be proved.
 */
export const restorePhases = [
  'requested',
  'preflight',
  'lock',
  'safety_point',
  'beside',
  'compare',
  'swap',
  'health',
  'put_back',
  'held',
  'undo',
  'release',
  'closed',
] as const;
export type RestorePhase = (typeof restorePhases)[number];

/** In the order in which a restore comes to them. */
export function isBefore(phase: RestorePhase, other: RestorePhase): boolean {
  return restorePhases.indexOf(phase) < restorePhases.indexOf(other);
}

export const restoreOutcomes = [
  /** The restored data are live for good; the old side is gone. */
  'released',
  /** Somebody put the old side back while it was held. */
  'undone',
  /** The restored data were live and not well: the old side was put back by itself. */
  'put_back',
  /** What was restored beside is not what the point says: live data were never touched. */
  'failed',
  'cancelled',
  /** Before anything was restored. */
  'refused',
  /** Neither side could be proved. Nothing was deleted, and a person has to look. */
  'stuck',
] as const;
export type RestoreOutcome = (typeof restoreOutcomes)[number];

/** What a person may say to a restore that runs or is held. */
export const restoreCommands = ['cancel', 'undo', 'release'] as const;
export type RestoreCommand = (typeof restoreCommands)[number];

/** Why a restore was started. */
export const restoreTriggers = ['operator', 'drill'] as const;
export type RestoreTrigger = (typeof restoreTriggers)[number];
