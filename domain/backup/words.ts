/** What a run of the backup pipeline does: make a recovery point, look at one again, take away what is not to be kept, or fetch one. */
export const backupKinds = ['create', 'validate', 'prune', 'pull'] as const;
export type BackupKind = (typeof backupKinds)[number];

/**
 * Of a point that is made. Prepare: lock, space. Apply: copy. Prove: prove. Keep or put back: publish, discard. One that is looked
 * at again is proved only; pruning is plan, trash, purge.
 */
export const backupPhases = [
  'requested',
  'lock',
  'space',
  'copy',
  'fetch',
  'prove',
  'publish',
  'discard',
  'plan',
  'trash',
  'purge',
  'closed',
] as const;
export type BackupPhase = (typeof backupPhases)[number];

export const backupOutcomes = [
  /** Proved by L0, L1 and L2, and only then visible. */
  'published',
  /** Not a point: nothing of it stays. */
  'failed',
  'cancelled',
  /** Before anything was copied. */
  'refused',
  /** Validated: every level that was asked for. */
  'valid',
  /** Validated, and not what its manifest says. */
  'invalid',
  'pruned',
  /** Fetched from another place, and byte for byte what its signed manifest says. */
  'pulled',
  /** A plan was all that was asked for. */
  'planned',
  'nothing_to_do',
  /** The clock or the listing is suspect, or no proven point would be left: nothing was taken away. */
  'blocked',
] as const;
export type BackupOutcome = (typeof backupOutcomes)[number];

/** Why a run was started; `restore`: the safety point of one. */
export const backupTriggers = ['operator', 'schedule', 'restore', 'drill'] as const;
export type BackupTrigger = (typeof backupTriggers)[number];

/** What a validation can prove; the fourth level, that the app boots on it, is a drill's. Each includes those before it. */
export const provenLevels = ['L0', 'L1', 'L2'] as const;
export type ProvenLevel = (typeof provenLevels)[number];

/** All levels up to this one, in the order in which they are proved. */
export function levelsUpTo(level: ProvenLevel): readonly ProvenLevel[] {
  return provenLevels.slice(0, provenLevels.indexOf(level) + 1);
}
