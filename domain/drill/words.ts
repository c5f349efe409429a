/** `scratch`: beside the live data, which nobody notices. `live`: the live data are restored, with a marker that must go. */
export const drillLevels = ['scratch', 'live'] as const;
export type DrillLevel = (typeof drillLevels)[number];

/** From where the point comes. */
export const drillOrigins = ['local', 'offsite'] as const;
export type DrillOrigin = (typeof drillOrigins)[number];

/** Of a drill in scratch: pick to boot. Of a live one: backup, mark, restore, look. */
export const drillPhases = [
  'requested',
  'pick',
  'fetch',
  'bytes',
  'structure',
  'restore',
  'boot',
  'backup',
  'mark',
  'look',
  'tidy',
  'closed',
] as const;
export type DrillPhase = (typeof drillPhases)[number];

export const drillOutcomes = [
  'passed',
  /** The point could not be restored, or is not what it should be. */
  'failed',
  /** A copy that was damaged on purpose did not pass, as it must not. */
  'damage_found',
  /** A copy that was damaged on purpose passed: what every other drill says is worth nothing. */
  'damage_missed',
  /** Nothing was tried: there is no point, no key, or nobody confirmed. */
  'refused',
] as const;
export type DrillOutcome = (typeof drillOutcomes)[number];

export const drillTriggers = ['operator', 'schedule'] as const;
export type DrillTrigger = (typeof drillTriggers)[number];

/** Ends that are as they should be. */
export function isGood(outcome: DrillOutcome | null): boolean {
  return outcome === 'passed' || outcome === 'damage_found';
}
