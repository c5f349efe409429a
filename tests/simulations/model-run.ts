import {
  inForce,
  judgeOverride,
  noOverrides,
  withOverride,
  type OverrideMessage,
  type StandingOverrides,
} from '../../domain/deploy/override.ts';
import type { DeployResult } from '../../domain/deploy/schemas.ts';
import { overrideActions, type Phase } from '../../domain/deploy/words.ts';
import { roles } from '../../domain/role.ts';
import type { World } from './deploy-model.ts';

/** What is said to a run, and what happens around it, while it goes on. */
export interface ModelRun {
  readonly begin: (said: Parameters<typeof withOverride>[1]) => void;
  readonly enter: (phase: Phase, result: DeployResult) => void;
  /** Returns whether anything was said, or happened. */
  readonly waits: (how: 'a moment' | 'for approval', result: DeployResult) => boolean;
  readonly overrides: () => StandingOverrides;
  readonly aborted: () => boolean;
  /** What was accepted, in order: for whoever wants to judge the run without its own rules. */
  readonly accepted: Parameters<typeof withOverride>[1][];
}

const minute = 60_000;

/** workflows/run-overrides.ts, with people and accidents that chance decides on. */
export function createRun(world: World, random: () => number, names: () => string): ModelRun {
  const accepted: ModelRun['accepted'] = [];
  const chance = (share: number) => random() < share;
  const oneOf = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  let standing = noOverrides;
  let now: Phase = 'requested';

  function hear(result: DeployResult): boolean {
    const action = oneOf(overrideActions);
    const said: OverrideMessage = {
      ...{ action, reason: 'because', actor: 'anna', role: oneOf(roles), force: chance(0.3) },
      ...(action === 'choose_target' ? { target: names() } : {}),
      ...(action === 'extend_window' ? { extend_ms: 5_000 } : {}),
      expires_at: new Date(world.now_ms + (random() - 0.2) * 120 * minute).toISOString(),
    };
    const judgement = judgeOverride(said, {
      ...{ now_ms: world.now_ms, phase: now, decided: result.rollback_policy_status !== 'not_evaluated' },
      deployed_release_id: result.deployed_release_id ?? result.requested_release_id,
    });
    if (!judgement.accepted) return false;
    accepted.push(said);
    standing = withOverride(standing, said);
    return true;
  }

  /** Bits are lost or damaged, and safe mode is set by somebody else. */
  function accident(): boolean {
    const victim = oneOf(world.releases.filter(({ bits }) => bits === 'ok'));
    if (chance(0.5) || (victim as unknown) === undefined) {
      world.safe_mode = true;
    } else {
      victim.bits = chance(0.5) ? 'missing' : 'changed';
    }
    return true;
  }

  function goesBy(result: DeployResult, most_ms: number, share: number): boolean {
    world.now_ms += Math.floor(random() * most_ms);
    const heard = chance(share) && hear(result);
    return (chance(share / 10) && accident()) || heard;
  }

  return {
    accepted,
    begin(said) {
      accepted.push(said);
      standing = withOverride(standing, said);
    },
    enter(phase, result) {
      now = phase;
      goesBy(result, minute, 0.12);
    },
    waits: (how, result) => (how === 'a moment' ? goesBy(result, 1_000, 0.12) : goesBy(result, 60 * minute, 0.8)),
    overrides: () => inForce(standing, world.now_ms),
    aborted: () => standing.abort,
  };
}
