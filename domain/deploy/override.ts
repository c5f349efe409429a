import { allows, type Role } from '../role.ts';
import { phases, type OverrideAction, type Phase } from './words.ts';

/** What reaches a run, by signal or by Update; its shape is checked by overrideMessageSchema. */
export interface OverrideMessage {
  readonly action: OverrideAction;
  readonly target?: string | undefined;
  readonly extend_ms?: number | undefined;
  readonly force: boolean;
  readonly reason: string;
  /** ISO time. */
  readonly expires_at: string;
  /** The row that was written before; a signal from Temporal's UI has none. */
  readonly override_id?: string | undefined;
  readonly actor: string;
  readonly role: Role;
}

export const overrideRefusals = [
  'override_malformed',
  'override_role_too_weak',
  'override_force_needs_admin',
  'override_expired',
  'override_too_late',
  'override_target_same_as_deployed',
] as const;
export type OverrideRefusal = (typeof overrideRefusals)[number];

/** What an override is judged on: the run as it is now. */
export interface RunNow {
  readonly now_ms: number;
  readonly phase: Phase;
  /** What was deployed; null before that is known. */
  readonly deployed_release_id: string | null;
  /** Whether a rollback was decided on already. */
  readonly decided: boolean;
}

export type OverrideJudgement =
  { readonly accepted: true } | { readonly accepted: false; readonly refusal: OverrideRefusal };

/** Row D9: the one decision behind signal and Update. Whether a target is usable is for the policy to say, when it counts. */
export function judgeOverride(message: OverrideMessage, run: RunNow): OverrideJudgement {
  if (!allows(message.role, 'operator')) return refuse('override_role_too_weak');
  if (message.force && message.role !== 'admin') return refuse('override_force_needs_admin');
  if (!isLive(message, run.now_ms)) return refuse('override_expired');
  if (isTooLate(message.action, run)) return refuse('override_too_late');
  if (message.action === 'choose_target' && message.target === run.deployed_release_id) {
    return refuse('override_target_same_as_deployed');
  }
  return { accepted: true };
}

/** After a decision was executed it cannot be taken back; the window can be longer only while it is open. */
function isTooLate(action: OverrideAction, { phase, decided }: RunNow): boolean {
  const last: Phase = action === 'abort' || action === 'extend_window' ? 'traffic_watch' : 'approval';
  if (phase === 'promote' || phase === 'closed' || phases.indexOf(phase) > phases.indexOf(last)) return true;
  return decided && phase !== 'approval';
}

/** A time that cannot be read is over. */
function isLive({ expires_at }: { readonly expires_at: string }, now_ms: number): boolean {
  return Date.parse(expires_at) > now_ms;
}

function refuse(refusal: OverrideRefusal): OverrideJudgement {
  return { accepted: false, refusal };
}

interface Ruling {
  readonly action: 'allow' | 'deny';
  readonly force: boolean;
  readonly expires_at: string;
}

interface ChosenTarget {
  readonly release_id: string;
  readonly force: boolean;
  readonly expires_at: string;
}

/** What the accepted overrides of a run come to. Of two that say the same kind of thing the later one counts. */
export interface StandingOverrides {
  readonly ruling: Ruling | null;
  readonly target: ChosenTarget | null;
  readonly extend_ms: number;
  readonly abort: boolean;
  /** All that was said and may count again once what came after it has expired; the last one last. */
  readonly said: { readonly rulings: readonly Ruling[]; readonly targets: readonly ChosenTarget[] };
}

export const noOverrides: StandingOverrides = {
  ruling: null,
  target: null,
  extend_ms: 0,
  abort: false,
  said: { rulings: [], targets: [] },
};

export function withOverride(
  standing: StandingOverrides,
  said: Pick<OverrideMessage, 'action' | 'target' | 'extend_ms' | 'force' | 'expires_at'>,
): StandingOverrides {
  const { action, force, expires_at } = said;
  const { rulings, targets } = standing.said;
  switch (action) {
    case 'allow':
    case 'deny':
      return lastWords(standing, [...rulings, { action, force, expires_at }], targets);
    case 'choose_target':
      if (said.target === undefined) return standing;
      // Who chooses where to go has said that it may go there.
      return lastWords(
        standing,
        [...rulings, { action: 'allow', force, expires_at }],
        [...targets, { release_id: said.target, force, expires_at }],
      );
    case 'extend_window':
      return { ...standing, extend_ms: standing.extend_ms + (said.extend_ms ?? 0) };
    case 'abort':
      return { ...standing, abort: true };
  }
}

/** An override that has expired counts as never said: what was said before it, and is not over, counts again. */
export function inForce(standing: StandingOverrides, now_ms: number): StandingOverrides {
  const { rulings, targets } = standing.said;
  return lastWords(
    standing,
    rulings.filter((each) => isLive(each, now_ms)),
    targets.filter((each) => isLive(each, now_ms)),
  );
}

function lastWords(
  standing: StandingOverrides,
  rulings: readonly Ruling[],
  targets: readonly ChosenTarget[],
): StandingOverrides {
  return { ...standing, ruling: rulings.at(-1) ?? null, target: targets.at(-1) ?? null, said: { rulings, targets } };
}
