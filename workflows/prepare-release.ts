import { ApplicationFailure } from '@temporalio/workflow';
import type { ResolvedRelease } from '../activities/deploy.ts';
import type { ServiceFacts } from '../activities/operations.ts';
import { resolveMetadata, standingOf } from '../domain/deploy/metadata.ts';
import type { DeployInput } from '../domain/deploy/run.ts';
import type { Journal } from './deploy-journal.ts';
import { buildingOn, onBox } from './proxies.ts';

/** Nothing that runs is touched here; any failure is `refused`. */
export async function prepareRelease(
  input: DeployInput,
  journal: Journal,
  facts: ServiceFacts,
  lock_token: string,
): Promise<ResolvedRelease> {
  const build = buildingOn(input.box);

  await journal.enter('resolve');
  const release = await resolveCandidate(input, facts);
  const metadata = resolveMetadata(input.request, facts, release.release_id);
  journal.note({ ...metadata, requested_release_id: release.release_id });
  await journal.check('resolve', true, metadata.release_metadata_source, { ...release, ...metadata });

  await journal.enter('guard');
  const guards = await onBox(input.box).checkGuards(input.service);
  await journal.check('guard.disk_space', true, 'enough', guards);

  await journal.enter('build');
  if (input.request.kind === 'rollback') {
    await mustBeIntact(input, release.release_id);
  } else {
    const { digest } = await build.buildRelease(input.service, release, lock_token);
    await journal.check('build', true, 'built', { digest });
  }
  return release;
}

/** A deploy goes to what a ref means now; a rollback goes to a release that this Holdfast built. */
async function resolveCandidate({ request, service, box }: DeployInput, facts: ServiceFacts): Promise<ResolvedRelease> {
  if (request.kind === 'deploy') {
    const ref = request.requested_release_id ?? request.ref ?? facts.source_ref;
    return buildingOn(box).resolveRelease(service, ref);
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

async function mustBeIntact({ box, service }: DeployInput, release_id: string): Promise<void> {
  const bits = await onBox(box).verifyRelease(service, release_id);
  if (bits !== 'ok') throw ApplicationFailure.nonRetryable(`The bits of ${release_id} are ${bits}`, 'ReleaseMissing');
}
