import type { ServiceStore, StoredRelease, StoredService } from '../../adapters/postgres/services.ts';
import { defaultChain, targetOf } from '../../domain/deploy/metadata.ts';
import { policyCases } from '../../domain/deploy/policy.ts';
import type { Policy, PolicyTest, PolicyTestQuery } from '../../domain/deploy/policy-schemas.ts';
import type { Route } from '../route.ts';
import { known } from './service.ts';

/** Row D8: the policy as data, and what it would say. The bits of a target are looked at only by a deploy. */
export function policyRoutes(route: Route, { services }: { readonly services: ServiceStore }): void {
  route('policy_show', async ({ params }) => {
    const service = await known(services, params.name);
    return { status: 200, body: policyOf(service, await services.releases(service.name)) };
  });

  route('policy_test', async ({ params, query }) => {
    const service = await known(services, params.name);
    return { status: 200, body: testOf(service, await services.releases(service.name), query) };
  });
}

function policyOf({ name, spec, desired, safe_mode }: StoredService, releases: readonly StoredRelease[]): Policy {
  const { policy, deployment_context } = spec;
  return {
    service: name,
    ...{ deployment_context, safe_mode },
    ...policy,
    freeze: policy.freeze.map((window) => ({ ...window })),
    has_executor: hasExecutor(spec),
    release_sources: [...(spec.release_sources ?? defaultChain(deployment_context))],
    deployed_release_id: desired.release_id,
    rollback_target_release_id: newestGood(releases, desired.release_id),
    next_rollback_target_release_id: targetOfNext(releases, desired.release_id),
  };
}

function testOf(
  { name, spec, desired, safe_mode }: StoredService,
  releases: readonly StoredRelease[],
  { of, target: extra }: PolicyTestQuery,
): PolicyTest {
  const running = desired.release_id;
  const deployed = of === 'next' ? undefined : releases.find(({ release_id }) => release_id === running);
  const first = of === 'next' ? targetOfNext(releases, running) : newestGood(releases, running);
  const ids = new Set([first, running, extra ?? null]);
  const named = [...ids].filter((id) => id !== null);
  const bits = spec.driver === 'command' ? ('unowned' as const) : ('ok' as const);
  const targets = named.map((release_id) => targetOf(release_id, releases, { bits, deployed }));
  const facts = {
    safe_mode,
    automatic_rollback_used: false,
    override: null,
    has_executor: hasExecutor(spec),
    deployed_release_id: of === 'next' ? '' : (running ?? ''),
  };
  const cases = policyCases(facts, spec.policy.rollback_on, [null, ...targets]);
  return { service: name, cases: cases.map((each) => ({ ...each })) };
}

function newestGood(releases: readonly StoredRelease[], deployed: string | null): string | null {
  return (
    releases.find(({ standing, release_id }) => standing === 'good' && release_id !== deployed)?.release_id ?? null
  );
}

/** As answerOfRegistry has it: what runs, where that is good. */
function targetOfNext(releases: readonly StoredRelease[], running: string | null): string | null {
  const isGood = releases.some(({ release_id, standing }) => release_id === running && standing === 'good');
  return isGood ? running : newestGood(releases, running);
}

function hasExecutor({ driver, commands }: StoredService['spec']): boolean {
  return driver !== 'command' || commands?.rollback !== undefined;
}
