import { ApplicationFailure } from '@temporalio/workflow';
import type { DeployActivities } from '../activities/deploy.ts';
import type { ServiceFacts } from '../activities/operations.ts';
import { rollbackConsent, type GuardFinding } from '../domain/deploy/guards.ts';
import {
  answerOfRegistry,
  answerOfRequest,
  resolveMetadata,
  standingOf,
  type SourceAnswer,
} from '../domain/deploy/metadata.ts';
import type { RollbackDecision } from '../domain/deploy/policy.ts';
import { failureClasses, type FailureClass } from '../domain/deploy/words.ts';
import type { DeployRun } from './deploy-run.ts';
import { buildingOn, onBox, operations } from './proxies.ts';
import { decisionsNow } from './rollback-policy.ts';

type ResolvedRelease = Awaited<ReturnType<DeployActivities['resolveRelease']>>;

export interface Prepared {
  readonly release_id: string;
  /** Dependencies of the service that were down before anything was changed. */
  readonly down: readonly string[];
}

/** Nothing that runs is touched here; any failure is `refused`. */
export async function prepareRelease(run: DeployRun, facts: ServiceFacts): Promise<Prepared> {
  const { input, journal, lock_token } = run;
  await journal.enter('resolve');
  const release = await resolveCandidate(run, facts);
  const { release_id } = release;
  const answers = await askSources(run, facts, release_id);
  const metadata = resolveMetadata(input.request, answers, journal.result.deployment_context);
  journal.note({
    ...metadata,
    release_metadata_skipped: [...metadata.release_metadata_skipped],
    requested_release_id: release_id,
  });
  await journal.check('resolve', true, metadata.release_metadata_source ?? 'no source', { ...release, ...metadata });

  await journal.enter('guard');
  const guards = await onBox(input.box).checkGuards(input.deploy_id, input.request.kind);
  await mustPass(run, guards);
  const down = facts.has_dependencies ? await onBox(input.box).downDependencies(input.deploy_id) : [];
  if (down.length > 0) await journal.check('dependencies', false, `down before cut-over: ${down.join(', ')}`);

  await journal.enter('build');
  if (input.request.kind === 'rollback') {
    await mustBeIntact(run, release_id);
  } else {
    const { digest } = await buildingOn(input.box).buildRelease(input.deploy_id, release, lock_token);
    await journal.check('build', true, 'built', { digest });
    // Only now is it known which schema it makes. Nothing that runs has been touched.
    await mustPass(run, [await consentTo(run, release_id)]);
  }
  return { release_id, down };
}

/** A deploy goes to what a ref means now; a rollback goes to a release that this Holdfast built. */
async function resolveCandidate({ input }: DeployRun, facts: ServiceFacts): Promise<ResolvedRelease> {
  const { request, deploy_id, box } = input;
  if (request.kind === 'deploy') {
    return buildingOn(box).resolveRelease(deploy_id, request.requested_release_id ?? request.ref ?? null);
  }
  const running = facts.desired.release_id;
  const target =
    request.requested_release_id ??
    facts.releases.find(({ release_id, standing }) => standing === 'good' && release_id !== running)?.release_id;
  if (target === undefined) throw ApplicationFailure.nonRetryable('No good release to go back to', 'ReleaseUnknown');
  if (standingOf(target, facts.releases) === 'missing') {
    throw ApplicationFailure.nonRetryable(
      `Release ${target} is not in the registry or its bits are gone`,
      'ReleaseMissing',
    );
  }
  return { release_id: target, branch: null, committed_at: null };
}

/** Row D3: in the service's order, no further than to the first that answers. */
async function askSources({ input }: DeployRun, facts: ServiceFacts, release_id: string): Promise<SourceAnswer[]> {
  const answers: SourceAnswer[] = [];
  for (const source of facts.release_sources) {
    if (source === 'request') answers.push(answerOfRequest(input.request));
    else if (source === 'registry') answers.push(answerOfRegistry(facts, release_id));
    else answers.push(...(await onBox(input.box).askSources(input.deploy_id, release_id, [source])));
    if (answers.at(-1)?.ids !== null) break;
  }
  return answers;
}

/** Row D8: what could not be rolled back must have been accepted beforehand, where stop-first leaves nothing running. */
async function consentTo(run: DeployRun, release_id: string): Promise<GuardFinding> {
  const { request, service, deploy_id } = run.input;
  const facts = await operations.serviceFacts(service, deploy_id);
  const decide = await decisionsNow(run, release_id, facts);
  const decisions: Partial<Record<FailureClass, RollbackDecision>> = {};
  for (const failure_class of failureClasses) {
    // Who says in the request that it is not to be rolled back has agreed to that.
    if (request[`rollback_on_${failure_class}`] === false) continue;
    decisions[failure_class] = decide({ failure_class });
  }
  const saysSo = run.overrides.now().ruling?.action === 'deny';
  const accepted = saysSo || (request.accept_no_rollback ?? facts.accept_no_rollback);
  return rollbackConsent(facts.cut_over, accepted, decisions as Record<FailureClass, RollbackDecision>);
}

async function mustPass({ journal }: DeployRun, guards: readonly GuardFinding[]): Promise<void> {
  for (const { guard, ok, reason } of guards) journal.hold(`guard.${guard}`, ok, reason);
  await journal.flush();
  const refused = guards.filter(({ ok }) => !ok);
  if (refused.length === 0) return;
  const why = refused.map(({ guard, reason }) => `${guard}: ${reason}`).join('; ');
  throw ApplicationFailure.nonRetryable(why, 'GuardRefused');
}

async function mustBeIntact({ input }: DeployRun, release_id: string): Promise<void> {
  const bits = await onBox(input.box).verifyRelease(input.deploy_id, release_id);
  if (bits === 'ok' || bits === 'unowned') return;
  throw ApplicationFailure.nonRetryable(`The bits of ${release_id} are ${bits}`, 'ReleaseMissing');
}
