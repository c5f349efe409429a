import type { DeployStore } from '../adapters/postgres/deploys.ts';
import type { EventStore, NewEvent } from '../adapters/postgres/events.ts';
import type { InstanceStore } from '../adapters/postgres/instances.ts';
import type { HeldLock, LockStore, LockWish } from '../adapters/postgres/locks.ts';
import type { RunOfLock } from '../domain/lock.ts';
import type { Desired, ServiceStore, StoredRelease, StoredService } from '../adapters/postgres/services.ts';
import type { DeployRuns } from '../adapters/temporal/deploys.ts';
import { cutOverOf } from '../domain/deploy/instance.ts';
import { defaultChain, type RegistryRelease } from '../domain/deploy/metadata.ts';
import { emptyResult } from '../domain/deploy/result.ts';
import type { RollbackMatrix } from '../domain/deploy/policy.ts';
import type { DeployInput, NewEvidence } from '../domain/deploy/run.ts';
import type { DeployResult } from '../domain/deploy/schemas.ts';
import type { WatchRules } from '../domain/deploy/watch.ts';
import type { CutOver, DeploymentContext, Phase, ReleaseSource } from '../domain/deploy/words.ts';
import { PermanentFailure } from '../domain/failures.ts';
import type { ServiceSpec } from '../domain/service.ts';
import { takeLocks } from './take-locks.ts';

/** What a run must know of its service. No secrets: it becomes part of a history. */
export interface ServiceFacts {
  readonly desired: StoredService['desired'];
  readonly safe_mode: boolean;
  readonly deployment_context: DeploymentContext;
  /** How a release of this specification takes the place of what runs now. */
  readonly cut_over: CutOver;
  readonly release_sources: readonly ReleaseSource[];
  readonly rollback_on: RollbackMatrix;
  readonly approval: ServiceSpec['policy']['approval'];
  readonly accept_no_rollback: boolean;
  readonly has_executor: boolean;
  /** What should run now was put there by an automatic rollback: no second one follows it. */
  readonly automatic_rollback_used: boolean;
  readonly watch: WatchRules;
  readonly has_dependencies: boolean;
  /** Newest first. */
  readonly releases: readonly RegistryRelease[];
}

export interface Entry {
  readonly deploy_id: string;
  readonly phase: Phase;
  readonly result: DeployResult;
  readonly evidence?: readonly NewEvidence[];
  readonly events?: readonly NewEvent[];
}

export interface OperationsDeps {
  readonly services: ServiceStore;
  readonly deploys: DeployStore;
  readonly events: EventStore;
  readonly locks: LockStore;
  readonly instances: InstanceStore;
  readonly runs: Pick<DeployRuns, 'wakeWatch' | 'tellWatch'>;
  readonly isClosed: (run: RunOfLock) => Promise<boolean>;
}

/** What every pipeline does to the operations database; no box is touched. Each may be repeated. */
export function createOperationsActivities(deps: OperationsDeps) {
  const { services, deploys, events, locks, instances, runs, isClosed } = deps;

  return {
    /** Throws, and so is tried again, while another open run holds one of them. What a closed run left is reaped. */
    async takeLocks(wishes: readonly LockWish[], run: RunOfLock): Promise<readonly HeldLock[]> {
      const taken = await takeLocks({ locks, isClosed }, wishes, run);
      if ('held' in taken) return taken.held;
      throw new Error(`${taken.holder.resource} is held by ${taken.holder.workflow_id}`);
    },

    /** `but`: resources that it keeps. */
    async releaseLocks(run: RunOfLock, but: readonly string[] = []): Promise<void> {
      await locks.releaseRun(run.run_id, but);
    },

    /** The row of the deploy, which the API has usually written already, and what it begins with. */
    async openDeploy(input: DeployInput, run: RunOfLock): Promise<DeployResult> {
      const { spec } = await known(services, input.service);
      const result = emptyResult(input.request, spec.deployment_context);
      await deploys.open(input, run, result, spec);
      return result;
    },

    /** Policy and safe mode as they are now; how it runs and is watched as it was when the deploy was opened. */
    async serviceFacts(name: string, deploy_id: string | null): Promise<ServiceFacts> {
      const { spec: registered, desired, safe_mode } = await known(services, name);
      const pinned = deploy_id === null ? null : await deploys.specOf(deploy_id);
      const releases = await services.releases(name);
      const running = desired.instance === null ? null : await instances.find(desired.instance);
      return {
        ...factsOfSpec(pinned ?? registered),
        cut_over: cutOverOf(pinned ?? registered, running?.spec ?? null),
        ...{ desired, safe_mode },
        rollback_on: registered.policy.rollback_on,
        approval: registered.policy.approval,
        accept_no_rollback: registered.policy.accept_no_rollback,
        automatic_rollback_used: running?.role === 'rollback',
        releases: releases.map(({ release_id, standing, schema_version, schema_reads_to }) => ({
          ...{ release_id, standing, schema_version, schema_reads_to },
        })),
      };
    },

    async record({ deploy_id, phase, result, evidence = [], events: happened = [] }: Entry): Promise<void> {
      for (const item of evidence) await deploys.addEvidence(deploy_id, item);
      for (const event of happened) await events.append(event);
      await deploys.update(deploy_id, phase, result);
    },

    async appendEvent(event: NewEvent): Promise<void> {
      await events.append(event);
    },

    /** Returns the new epoch. */
    async setDesired(name: string, seenEpoch: number, desired: Desired): Promise<number> {
      const epoch = await services.setDesired(name, seenEpoch, desired);
      if (epoch === null) {
        throw new PermanentFailure('DesiredStateChanged', `What ${name} should run was changed by somebody else`);
      }
      return epoch;
    },

    setStanding: (name: string, releaseId: string, standing: StoredRelease['standing']): Promise<void> =>
      services.setStanding(name, releaseId, standing),

    /** Good, with the specification that this deploy proved it with. */
    async promote(name: string, releaseId: string, deploy_id: string): Promise<void> {
      const spec = await deploys.specOf(deploy_id);
      if (spec === null) throw new PermanentFailure('ServiceUnknown', `Deploy ${deploy_id} has no specification`);
      await services.promote(name, releaseId, spec);
    },

    async recordOutcome({ deploy_id, service, actor }: DeployInput, result: DeployResult): Promise<void> {
      const { deployed_release_id, requested_release_id, outcome } = result;
      // What was refused before it was tried says nothing of the release.
      const releaseId = outcome === 'discarded' ? requested_release_id : deployed_release_id;
      if (releaseId === null || outcome === null) return;
      await services.recordOutcome(service, releaseId, { deploy_id, actor, outcome });
    },

    async enterSafeMode(name: string): Promise<void> {
      await services.setSafeMode(name);
    },

    /** watch/<service> looks again at what it should look after; it is started where it does not run, and ends where the service is to be stopped. */
    async wakeWatch(service: string): Promise<void> {
      const { desired, spec } = await known(services, service);
      if (desired.state === 'running') await runs.wakeWatch({ service, box: spec.box });
      else await runs.tellWatch(service);
    },
  };
}

export type OperationsActivities = ReturnType<typeof createOperationsActivities>;

function factsOfSpec(spec: ServiceSpec) {
  const { driver, deployment_context, commands, watch, probes, dependencies, release_sources } = spec;
  return {
    deployment_context,
    release_sources: release_sources ?? defaultChain(deployment_context),
    has_executor: driver !== 'command' || commands?.rollback !== undefined,
    watch: { ...watch, timeout_ms: probes.timeout_ms },
    has_dependencies: dependencies.length > 0,
  };
}

async function known(services: ServiceStore, name: string): Promise<StoredService> {
  const service = await services.find(name);
  if (service === null) throw new PermanentFailure('ServiceUnknown', `No service is called ${name}`);
  return service;
}
