import type { FreezeWindow, ServiceSpec } from '../service.ts';
import type { RollbackDecision } from './policy.ts';
import type { CutOver, DeployKind, FailureClass } from './words.ts';

/** Row D12: a name that a refusal gives, and an operator can look up. */
export type GuardName = 'freeze_window' | 'recovery_point_age' | 'disk_space' | 'rollback_consent' | 'obstacle';

export interface GuardFinding {
  readonly guard: GuardName;
  readonly ok: boolean;
  readonly reason: string;
}

export interface GuardFacts {
  readonly now_ms: number;
  readonly kind: DeployKind;
  readonly policy: ServiceSpec['policy'];
  readonly free_disk_bytes: number;
  /** When the newest proven recovery point was made; null: none is known. */
  readonly recovery_point_at_ms: number | null;
  /** What stands in the way on the box, from the driver. */
  readonly obstacles: readonly string[];
}

/** What must be so before anything changes. A way back is never held up by a freeze or by the age of a backup. */
export function checkGuards(facts: GuardFacts): readonly GuardFinding[] {
  return [
    ...(facts.kind === 'rollback' ? [] : [freezeWindow(facts), recoveryPointAge(facts)]),
    diskSpace(facts),
    facts.obstacles.length === 0
      ? finding('obstacle', true, 'none')
      : finding('obstacle', false, facts.obstacles.join('; ')),
  ];
}

function freezeWindow({ now_ms, policy }: GuardFacts): GuardFinding {
  const frozen = policy.freeze.find((window) => isWithin(window, now_ms));
  return frozen === undefined
    ? finding('freeze_window', true, 'none')
    : finding('freeze_window', false, `${frozen.reason} (${frozen.from} to ${frozen.to} UTC)`);
}

const toleratedSkewMs = 300_000;

function recoveryPointAge({ now_ms, policy, recovery_point_at_ms }: GuardFacts): GuardFinding {
  const most = policy.recovery_point_max_age_ms;
  if (most === null) return finding('recovery_point_age', true, 'not asked for');
  if (recovery_point_at_ms === null) return finding('recovery_point_age', false, 'no recovery point known');
  const age = now_ms - recovery_point_at_ms;
  // Clocks a little apart are no matter; a day in the future would pass every test of age.
  if (age < -toleratedSkewMs) {
    const ahead = `the newest proven recovery point is dated ${Math.round(-age / 60_000)} minutes in the future`;
    return finding('recovery_point_age', false, `${ahead}: check the clocks`);
  }
  const text = `the newest proven recovery point is ${Math.max(0, Math.round(age / 60_000))} minutes old`;
  return finding('recovery_point_age', age <= most, `${text}, ${Math.round(most / 60_000)} are allowed`);
}

function diskSpace({ policy, free_disk_bytes }: GuardFacts): GuardFinding {
  const least = policy.least_free_disk_bytes;
  return finding('disk_space', free_disk_bytes >= least, `${free_disk_bytes} bytes are free, ${least} are asked for`);
}

const dayMs = 86_400_000;
const dayNames = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;

/** Weekly windows are in UTC; one that ends before it begins ends on the next day. */
export function isWithin(window: FreezeWindow, now_ms: number): boolean {
  if (!('days' in window)) return now_ms >= Date.parse(window.from) && now_ms < Date.parse(window.to);
  const midnight = Math.floor(now_ms / dayMs) * dayMs;
  return [midnight, midnight - dayMs].some((day) => {
    const name = dayNames[new Date(day).getUTCDay()];
    if (name === undefined || !window.days.includes(name)) return false;
    const from = day + msOfDay(window.from);
    const to = day + msOfDay(window.to);
    return now_ms >= from && now_ms < (to > from ? to : to + dayMs);
  });
}

function msOfDay(time: string): number {
  const [hours = 0, minutes = 0] = time.split(':').map(Number);
  return (hours * 60 + minutes) * 60_000;
}

/**
 * Row D8: stop-first leaves nothing running while the new release is tried. Where a failure could not be rolled back, an
 * operator must have said beforehand that this is accepted.
 */
export function rollbackConsent(
  cutOver: CutOver,
  accepted: boolean,
  decisions: Readonly<Record<FailureClass, RollbackDecision>>,
): GuardFinding {
  if (cutOver !== 'stop_first') return finding('rollback_consent', true, `not needed: ${cutOver}`);
  const denied = Object.entries(decisions).filter(([, { status }]) => status === 'denied');
  if (denied.length === 0) return finding('rollback_consent', true, 'every failure could be rolled back');
  const what = denied.map(([failureClass, { reason }]) => `${failureClass}: ${reason}`).join(', ');
  if (accepted) return finding('rollback_consent', true, `accepted although no rollback of ${what}`);
  const advice = 'accept that with --accept-no-rollback (accept_no_rollback in the request)';
  return finding('rollback_consent', false, `no rollback of ${what}: ${advice}`);
}

function finding(guard: GuardName, ok: boolean, reason: string): GuardFinding {
  return { guard, ok, reason };
}
