import { rollbackConsent } from '../../domain/deploy/guards.ts';
import {
  answerOfRegistry,
  answerOfRequest,
  resolveMetadata,
  standingOf,
  targetOf,
} from '../../domain/deploy/metadata.ts';
import {
  decideApproval,
  decideRollback,
  type RollbackDecision,
  type RollbackMatrix,
} from '../../domain/deploy/policy.ts';
import { emptyResult } from '../../domain/deploy/result.ts';
import { releasesToPrune } from '../../domain/deploy/retention.ts';
import type { DeployRequest, DeployResult } from '../../domain/deploy/schemas.ts';
import {
  failureClasses,
  type DeploymentContext,
  type FailureClass,
  type Outcome,
  type Phase,
} from '../../domain/deploy/words.ts';
import type { ModelRun } from './model-run.ts';

export interface ModelRelease {
  readonly release_id: string;
  standing: 'built' | 'good' | 'known_bad' | 'gone';
  bits: 'ok' | 'missing' | 'changed';
  readonly schema_version: number | null;
  readonly schema_reads_to: number | null;
  readonly built_at: number;
  promoted_at: number | null;
}

/** A service, its releases and its clock: what the operations database and the box are to a workflow. */
export interface World {
  readonly releases: ModelRelease[];
  desired: { release_id: string | null; by: 'candidate' | 'rollback'; epoch: number };
  safe_mode: boolean;
  rollback_on: RollbackMatrix;
  approval: { required: boolean; default: 'allow' | 'deny' };
  context: DeploymentContext;
  has_executor: boolean;
  start_first: boolean;
  keep_releases: number;
  now_ms: number;
}

/** What chance decides about one deploy, and who is told what was done. */
export interface Script {
  readonly request: DeployRequest;
  /** The release that a ref means now; its row if it is new. */
  readonly wanted: ModelRelease;
  readonly refused: 'guard' | 'build' | null;
  /** Where it fails, if it does. In stop-first there is no traffic_watch. */
  readonly fails: { readonly phase: 'watch' | 'traffic_watch'; readonly failure_class: FailureClass } | null;
  readonly degraded: boolean;
  readonly rollbackSucceeds: boolean;
  readonly runtimeSays: string | null;
  /** Set by the standing watch: a rollback of what runs. */
  readonly watch: { readonly epoch: number; readonly failure_class: FailureClass } | null;
}

export interface Told {
  /** At the moment of the decision: what goes wrong after it is found out by the watch of the rollback. */
  readonly executed: (what: { target: string; deployed: string; failure_class: FailureClass | null }) => void;
  readonly pruned: (releases: readonly string[], result: DeployResult) => void;
}

interface Failure {
  readonly failure_class: FailureClass | null;
}

export function newestFirst({ releases }: World): ModelRelease[] {
  const promoted = ({ promoted_at }: ModelRelease) => promoted_at ?? -Infinity;
  return [...releases].sort((a, b) => promoted(b) - promoted(a) || b.built_at - a.built_at);
}

export function find({ releases }: World, release_id: string | null): ModelRelease | undefined {
  return releases.find((each) => each.release_id === release_id);
}

/** workflows/deploy.ts, with everything that is not a decision left out. Overrides are heard wherever it waits. */
export function runDeploy(world: World, script: Script, run: ModelRun, told: Told): DeployResult {
  const { request, watch } = script;
  const result = emptyResult(request, world.context);
  const policy = request.policy_override;
  if (policy !== undefined) run.begin({ ...policy, force: false });
  const model = { world, script, run, told, result };
  run.enter('lock', result);
  if (watch !== null) takeOver(model, watch);
  else carryOut(model);
  run.enter('closed', result);
  return result;
}

interface Model {
  readonly world: World;
  readonly script: Script;
  readonly run: ModelRun;
  readonly told: Told;
  readonly result: DeployResult;
}

function carryOut(model: Model): void {
  const { world, script, run, result } = model;
  const release = prepare(model);
  if (release === null || run.aborted()) {
    result.outcome = release === null ? 'refused' : 'aborted';
    return;
  }
  const failsAt = (phase: Phase): Failure | null => {
    run.enter(phase, result);
    if (run.aborted()) return { failure_class: null };
    return script.fails?.phase === phase ? script.fails : null;
  };
  run.enter('cut_over', result);
  if (world.start_first) {
    const alone = failsAt('watch');
    if (alone !== null) {
      discard(model, alone);
      return;
    }
    run.enter('switch', result);
  }
  desire(world, release.release_id, 'candidate');
  result.deployed_release_id = release.release_id;
  const failure = failsAt(world.start_first ? 'traffic_watch' : 'watch');
  if (failure === null) keep(model, release);
  else putBack(model, failure, release.release_id);
}

function takeOver(model: Model, verdict: Script['watch'] & object): void {
  const { world, run, result } = model;
  const { release_id, epoch } = world.desired;
  if (release_id === null || epoch !== verdict.epoch) {
    result.outcome = 'refused';
    return;
  }
  run.enter('resolve', result);
  const registry = { releases: newestFirst(world), desired: { release_id: null } };
  const metadata = resolveMetadata({}, [answerOfRegistry(registry, release_id)], world.context);
  note(result, metadata);
  result.deployed_release_id = release_id;
  putBack(model, verdict, release_id);
}

function note(result: DeployResult, metadata: ReturnType<typeof resolveMetadata>): void {
  Object.assign(result, metadata, { release_metadata_skipped: [...metadata.release_metadata_skipped] });
}

/** Nothing that runs is touched here; null: refused. */
function prepare({ world, script, run, result }: Model): ModelRelease | null {
  const { request, wanted, runtimeSays } = script;
  const registry = { releases: newestFirst(world), desired: world.desired };
  run.enter('resolve', result);
  let release: ModelRelease | undefined = wanted;
  if (request.kind === 'rollback') {
    const running = world.desired.release_id;
    const newest = registry.releases.find((each) => each.standing === 'good' && each.release_id !== running);
    release = request.requested_release_id === undefined ? newest : find(world, request.requested_release_id);
    if (release === undefined || standingOf(release.release_id, registry.releases) === 'missing') return null;
  }
  const { release_id } = release;
  const runtime = runtimeSays === null ? null : { release_id: null, previous_release_id: runtimeSays };
  const answers = [
    answerOfRequest(request),
    answerOfRegistry(registry, release_id),
    { source: 'runtime' as const, ids: runtime, reason: 'asked' },
  ];
  note(result, resolveMetadata(request, answers, result.deployment_context));
  result.requested_release_id = release_id;

  run.enter('guard', result);
  if (script.refused === 'guard') return null;
  if (request.kind === 'deploy' && !consented({ world, script, run, result }, release)) return null;
  run.enter('build', result);
  if (script.refused === 'build') return null;
  if (request.kind === 'rollback') return release.bits === 'ok' ? release : null;
  if (!world.releases.includes(release)) world.releases.push(release);
  if (release.standing === 'gone') release.standing = 'built';
  release.bits = 'ok';
  return release;
}

function consented(model: Pick<Model, 'world' | 'script' | 'run' | 'result'>, release: ModelRelease): boolean {
  const { world, script, run } = model;
  const decisions: Partial<Record<FailureClass, RollbackDecision>> = {};
  for (const failure_class of failureClasses) {
    if (script.request[`rollback_on_${failure_class}`] === false) continue;
    decisions[failure_class] = decideNow(model, { failure_class }, release.release_id).decision;
  }
  const saysSo = run.overrides().ruling?.action === 'deny';
  const cutOver = world.start_first ? 'start_first' : 'stop_first';
  const accepted = saysSo || script.request.accept_no_rollback === true;
  return rollbackConsent(cutOver, accepted, decisions as Record<FailureClass, RollbackDecision>).ok;
}

function desire(world: World, release_id: string | null, by: World['desired']['by']): void {
  world.desired = { release_id, by, epoch: world.desired.epoch + 1 };
}

function discard({ world, result }: Model, { failure_class }: Failure): void {
  classify(world, result, failure_class, result.requested_release_id);
  result.outcome = failure_class === null ? 'aborted' : 'discarded';
}

function classify(world: World, result: DeployResult, failure_class: FailureClass | null, id: string | null): void {
  result.failure_class = failure_class;
  const release = find(world, id);
  if (failure_class !== null && release !== undefined) release.standing = 'known_bad';
}

/** By the facts as they are now. The target is the one that was judged, whatever is said meanwhile. */
function decideNow(
  { world, script, run, result }: Pick<Model, 'world' | 'script' | 'run' | 'result'>,
  { failure_class }: Failure,
  deployed_release_id: string,
): { readonly decision: RollbackDecision; readonly target: string | null } {
  const { ruling, target: chosen } = run.overrides();
  const target = chosen?.release_id ?? result.rollback_target_release_id;
  const as = failure_class ?? 'deploy_failure';
  const asked = failure_class === null ? true : script.request[`rollback_on_${as}`];
  const deployed = find(world, deployed_release_id);
  const bits = find(world, target)?.bits ?? 'missing';
  const { safe_mode, has_executor } = world;
  const decision = decideRollback({
    ...{
      failure_class: as,
      deployment_context: result.deployment_context,
      deployed_release_id,
      safe_mode,
      has_executor,
    },
    automatic_rollback_used: result.rollback_performed || (script.watch !== null && world.desired.by === 'rollback'),
    override: ruling,
    enabled: asked ?? world.rollback_on[as][result.deployment_context],
    target: target === null ? null : targetOf(target, newestFirst(world), { bits, deployed }),
  });
  return { decision, target };
}

/** Decides again for as long as somebody spoke, or something changed, while it was being decided. */
function decideSettled(model: Model, failure: Failure, release_id: string): ReturnType<typeof decideNow> {
  let settled = decideNow(model, failure, release_id);
  while (model.run.waits('a moment', model.result)) settled = decideNow(model, failure, release_id);
  return settled;
}

function settle(model: Model, failure: Failure, release_id: string): ReturnType<typeof decideNow> {
  const { world, run, result } = model;
  run.enter('rollback_policy', result);
  const settled = decideSettled(model, failure, release_id);
  const { action, reason } = settled.decision;
  const waits = world.approval.required && action === 'roll_back' && reason !== 'override_allowed';
  if (!waits || failure.failure_class === null) return settled;

  run.enter('approval', result);
  run.waits('for approval', result);
  const ruling = run.overrides().ruling?.action ?? null;
  if (ruling === 'deny') return { ...settled, decision: decideApproval(settled.decision, 'denied') };
  // An hour may have passed: what was so then need not be so now.
  const later = decideSettled(model, failure, release_id);
  if (ruling === 'allow' || run.overrides().ruling !== null) return later;
  const silence = world.approval.default === 'allow' ? 'timed_out_allow' : 'timed_out_deny';
  return { ...later, decision: decideApproval(later.decision, silence) };
}

function putBack(model: Model, failure: Failure, release_id: string): void {
  const { world, script, run, told, result } = model;
  const end = (outcome: Outcome) => {
    result.outcome = failure.failure_class === null ? 'aborted' : outcome;
  };
  classify(world, result, failure.failure_class, release_id);
  const { decision, target } = settle(model, failure, release_id);
  result.rollback_target_release_id = target;
  result.rollback_policy_status = decision.status;
  result.rollback_policy_reason = decision.reason;
  result.rollback_target_valid = decision.target_valid;
  if (decision.action === 'nothing') {
    end('rollback_denied');
    return;
  }
  const stops = decision.action === 'stop' || target === null;
  if (!stops) told.executed({ target, deployed: release_id, failure_class: failure.failure_class });
  run.enter('rollback', result);
  if (stops) {
    desire(world, null, 'candidate');
    end('stopped_no_target');
    return;
  }
  desire(world, target, 'rollback');
  run.enter('rollback_watch', result);
  result.rollback_performed = true;
  result.rollback_succeeded = script.rollbackSucceeds;
  if (!script.rollbackSucceeds) world.safe_mode = true;
  end(script.rollbackSucceeds ? 'rolled_back' : 'rollback_failed');
}

function keep({ world, script, run, told, result }: Model, release: ModelRelease): void {
  run.enter('promote', result);
  if (!script.degraded) Object.assign(release, { standing: 'good', promoted_at: world.now_ms });
  result.outcome = script.degraded ? 'promoted_degraded' : 'promoted';
  const inUse = [release.release_id, result.previous_release_id, result.rollback_target_release_id];
  told.pruned(prune(world, inUse), result);
}

/** activities/deploy.ts: nothing of a service that is not owned; a bad release stays known as bad without its bits. */
export function prune(world: World, inUse: readonly (string | null)[]): readonly string[] {
  if (world.context === 'external') return [];
  const gone = releasesToPrune(newestFirst(world), world.keep_releases, inUse);
  for (const { release_id } of gone) {
    const release = find(world, release_id);
    if (release === undefined) continue;
    if (release.standing !== 'known_bad') release.standing = 'gone';
    release.bits = 'missing';
  }
  return gone.map(({ release_id }) => release_id);
}
