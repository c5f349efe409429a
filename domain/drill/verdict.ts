import type { DrillOutcome } from './words.ts';

/** What a drill has found, in the order in which it looked. */
export interface LevelFound {
  readonly level: string;
  readonly ok: boolean;
  readonly reason: string;
}

export interface Verdict {
  readonly outcome: DrillOutcome;
  readonly failure_reason: string | null;
}

/** The levels that a drill in scratch must have passed to pass. */
export const drilledLevels = ['L0', 'L1', 'L2', 'L3'] as const;

/** Those that read the copy: what was done to it on purpose has to show there. */
const showing: readonly string[] = ['L0', 'L1', 'L2'];

/** A level that was not looked at is not passed. */
export function judgeDrill(damaged: boolean, found: readonly LevelFound[], wanted: readonly string[]): Verdict {
  const bad = found.find(({ ok }) => !ok);
  if (damaged) {
    if (bad === undefined)
      return { outcome: 'damage_missed', failure_reason: 'a copy that was damaged on purpose passed every level' };
    const failure_reason = `${bad.level}: ${bad.reason}`;
    if (showing.includes(bad.level)) return { outcome: 'damage_found', failure_reason };
    return { outcome: 'damage_missed', failure_reason: `the damage did not show; ${failure_reason}` };
  }
  if (bad !== undefined) return { outcome: 'failed', failure_reason: `${bad.level}: ${bad.reason}` };
  const missing = wanted.filter((level) => !found.some((each) => each.level === level));
  if (missing.length > 0) return { outcome: 'failed', failure_reason: `not looked at: ${missing.join(', ')}` };
  return { outcome: 'passed', failure_reason: null };
}
