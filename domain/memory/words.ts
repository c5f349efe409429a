/** Row C6. What a memory is about: who somebody is, how they like things, a project, what happened, what is known, what was learnt from it. */
export const memoryTypes = ['identity', 'preference', 'project', 'episodic', 'knowledge', 'adaptation'] as const;
export type MemoryType = (typeof memoryTypes)[number];

/** Where it comes from; `drill`: a marker that a restore must take away again. */
export const provenanceKinds = ['person', 'agent', 'document', 'import', 'drill'] as const;

/** `superseded`: another one has taken its place. `expired`: its time is over. Neither is ever found by a search. */
export const memoryStates = ['current', 'superseded', 'expired'] as const;
export type MemoryState = (typeof memoryStates)[number];

export interface MemoryStanding {
  readonly superseded_by: string | null;
  readonly expires_at: Date | null;
}

export function memoryState({ superseded_by, expires_at }: MemoryStanding, now: Date): MemoryState {
  if (superseded_by !== null) return 'superseded';
  return expires_at !== null && expires_at <= now ? 'expired' : 'current';
}
