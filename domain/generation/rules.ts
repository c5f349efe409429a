import { unfinishedStates, type GenerationState } from './generation.ts';

// The decisions of generations.md. They are made on what was read under the lock of the project's row, so that none is
// made on what another one is just changing.

export interface ProjectStanding {
  readonly visible: number;
  readonly gc_floor: number;
  /** G5. */
  readonly held: boolean;
}

export interface GenerationStanding {
  readonly number: number;
  readonly parent: number;
  readonly state: GenerationState;
  readonly incarnation: string;
}

export type BeginRefusal = 'incarnation_changed' | 'held' | 'replan' | 'unswept';

/** G1, G5. `seen`: the database and the visible generation that the wave was planned on. null: it may take a number. */
export function refusalToBegin(
  seen: { readonly incarnation: string; readonly visible: number },
  now: ProjectStanding & { readonly incarnation: string; readonly unswept: readonly number[] },
): BeginRefusal | null {
  if (seen.incarnation !== now.incarnation) return 'incarnation_changed';
  if (now.held) return 'held';
  // What it would write is the difference to something else.
  if (seen.visible !== now.visible) return 'replan';
  return now.unswept.length > 0 ? 'unswept' : null;
}

export type CommitRefusal = 'incarnation_changed' | 'not_proved' | 'parent_moved';

/** G4. null: it may be made visible, or is already. */
export function refusalToCommit(
  wave: { readonly incarnation: string },
  now: { readonly incarnation: string; readonly visible: number; readonly generation: GenerationStanding | null },
): CommitRefusal | null {
  const { generation } = now;
  if (wave.incarnation !== now.incarnation) return 'incarnation_changed';
  if (generation === null) return 'not_proved';
  if (generation.state === 'committed') return null;
  if (generation.state !== 'proved' || generation.incarnation !== now.incarnation) return 'not_proved';
  return generation.parent === now.visible ? null : 'parent_moved';
}

export type RollBackRefusal = 'nothing_visible' | 'held' | 'collected' | 'not_visible';

/** G5. `wanted`: the number that is to be undone; null: whichever is visible. null: its parent may be made visible again. */
export function refusalToRollBack(
  wanted: number | null,
  project: ProjectStanding,
  visible: GenerationStanding | null,
): RollBackRefusal | null {
  if (project.held) return 'held';
  if (visible === null) return 'nothing_visible';
  if (wanted !== null && wanted !== visible.number) return 'not_visible';
  return visible.parent >= project.gc_floor ? null : 'collected';
}

/** G6. What died up to here is of use to nobody: neither to a rollback nor to a pin. It never goes back. */
export function raisedFloor(project: ProjectStanding, parentOfVisible: number, pins: readonly number[]): number {
  return Math.max(project.gc_floor, Math.min(parentOfVisible, ...pins));
}

/** G7. Those that stand in the way of sweeping a number: at them its births are alive, or its deaths have been. */
export function pinsAgainstSweep(number: number, pins: readonly number[]): number[] {
  return pins.filter((pin) => pin >= number);
}

/** G7. Those that stand in the way of collecting what died up to the floor. */
export function pinsAgainstCollection(floor: number, pins: readonly number[]): number[] {
  return pins.filter((pin) => pin < floor);
}

/** G7. What is collected cannot be kept any more, and what was never seen is nothing to keep. */
export function mayPin(generation: number, { visible, gc_floor }: ProjectStanding): boolean {
  return generation >= gc_floor && generation <= visible;
}

/** May its wave still write it? (G3: what is proved is not written any more.) */
export function isWritable(generation: GenerationStanding | null, incarnation: string): boolean {
  return generation?.state === 'writing' && generation.incarnation === incarnation;
}

/** Rolled back under it, or left by a run that is gone: it ends unseen. */
export function isUnfinished({ state }: GenerationStanding): boolean {
  return (unfinishedStates as readonly GenerationState[]).includes(state);
}
