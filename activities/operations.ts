import type { DeployStore } from '../adapters/postgres/deploys.ts';
import type { EventStore, NewEvent } from '../adapters/postgres/events.ts';
import type { HeldLock, LockStore, LockWish, RunOfLock } from '../adapters/postgres/locks.ts';
import type { Desired, ServiceStore, StoredRelease, StoredService } from '../adapters/postgres/services.ts';
import type { RegistryRelease } from '../domain/deploy/metadata.ts';
import { emptyResult } from '../domain/deploy/result.ts';
import type { RollbackMatrix } from '../domain/deploy/policy.ts';
import type { DeployInput, NewEvidence } from '../domain/deploy/run.ts';
import type { DeployResult } from '../domain/deploy/schemas.ts';
import type { WatchRules } from '../domain/deploy/watch.ts';
import type { Phase } from '../domain/deploy/words.ts';
import { PermanentFailure } from '../domain/failures.ts';

/** What a run must know of its service. No secrets: it becomes part of a history. */
export interface ServiceFacts {
  readonly desired: StoredService['desired'];
  readonly safe_mode: boolean;
  readonly source_ref: string;
  readonly rollback_on: RollbackMatrix;
  readonly watch: WatchRules;
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
  readonly isClosed: (run: RunOfLock) => Promise<boolean>;
}

/** What every pipeline does to the operations database; no box is touched. Each may be repeated. */
export function createOperationsActivities({ services, deploys, events, locks, isClosed }: OperationsDeps) {
  return {
    /** Throws, and so is tried again, while another open run holds one of them. What a closed run left is reaped. */
    async takeLocks(wishes: readonly LockWish[], run: RunOfLock): Promise<readonly HeldLock[]> {
      for (;;) {
        const taken = await locks.acquire(wishes, run);
        if ('held' in taken) return taken.held;
        for (const holder of taken.holders) {
          if (!(await isClosed(holder))) throw new Error(`${holder.resource} is held by ${holder.workflow_id}`);
          await locks.releaseRun(holder.run_id);
        }
      }
    },

    async releaseLocks(run: RunOfLock): Promise<void> {
      await locks.releaseRun(run.run_id);
    },

    /** The row of the deploy, which the API has usually written already, and what it begins with. */
    async openDeploy(input: DeployInput, run: RunOfLock): Promise<DeployResult> {
      const service = await known(services, input.service);
      const result = emptyResult(input.request, service.spec.deployment_context);
      await deploys.open(input, run, result);
      return result;
    },

    async serviceFacts(name: string): Promise<ServiceFacts> {
      const { spec, desired, safe_mode } = await known(services, name);
      const releases = await services.releases(name);
      return {
        desired,
        safe_mode,
        source_ref: spec.source.ref,
        rollback_on: spec.policy.rollback_on,
        watch: spec.watch,
        releases: releases.map(({ release_id, standing }) => ({ release_id, standing })),
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

    enterSafeMode: (name: string): Promise<void> => services.setSafeMode(name),
  };
}

export type OperationsActivities = ReturnType<typeof createOperationsActivities>;

async function known(services: ServiceStore, name: string): Promise<StoredService> {
  const service = await services.find(name);
  if (service === null) throw new PermanentFailure('ServiceUnknown', `No service is called ${name}`);
  return service;
}
