import type { BackupRunInput } from '../backup/run.ts';
import type { PullRequest } from './schemas.ts';
import type { TroubleKind } from './trouble.ts';

/** A target gets all that it has not yet, newest first, by one run at a time. */
export interface PushInput {
  readonly target: string;
  /** That speaks to it. */
  readonly box: string;
}

/** There is something new to push, or somebody does not want to wait: it is tried now. */
export const pushNowSignal = 'push_now';

export function pushWorkflowId(target: string): string {
  return `push/${target}`;
}

export type PullInput = BackupRunInput<PullRequest>;

export function pullWorkflowId(target: string): string {
  return `pull/${target}`;
}

/** What came of one try to push one point. */
export interface PushSaid {
  readonly state: 'verified' | 'damaged' | TroubleKind;
  readonly reason: string;
  /** That are at the target, read back or not. */
  readonly bytes: number;
}

/** What came of one try to take one copy away. */
export interface RemovalSaid {
  /** kept: decided otherwise by now. denied: the target does not let us, or what is there is suspect; a person has to look. */
  readonly state: 'removed' | 'kept' | 'denied' | 'away';
  readonly reason: string;
}

const minute = 60_000;

/** How long a target is left alone that could not be used. `times`: how often in a row. A host that wakes up is found within 15 minutes. */
export function waitMs(state: 'away' | 'full' | 'refused', times: number): number {
  const [first, most] = {
    away: [minute / 2, 15 * minute],
    full: [5 * minute, 60 * minute],
    refused: [minute, 60 * minute],
  }[state] as [number, number];
  return Math.min(most, first * 2 ** Math.min(times - 1, 20));
}
