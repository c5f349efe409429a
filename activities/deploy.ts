import { setTimeout } from 'node:timers/promises';
import type { ReleaseFolders } from '../adapters/files/releases.ts';
import type { GitSource } from '../adapters/git/source.ts';
import type { LockStore } from '../adapters/postgres/locks.ts';
import type { ServiceStore, StoredService } from '../adapters/postgres/services.ts';
import type { ProcessDriver } from '../adapters/process/driver.ts';
import type { Sampler } from '../adapters/probe/probe.ts';
import { configHash } from '../domain/deploy/identity.ts';
import { releasesToPrune } from '../domain/deploy/retention.ts';
import type { Sample } from '../domain/deploy/watch.ts';
import { PermanentFailure } from '../domain/failures.ts';
import { withHeartbeat } from './heartbeat.ts';

/** One start of one release, and the right to make it. */
export interface InstanceOrder {
  readonly service: string;
  readonly release_id: string;
  readonly instance: string;
  /** Fencing token of the lock on the service. */
  readonly lock_token: string;
}

export interface ResolvedRelease {
  readonly release_id: string;
  readonly branch: string | null;
  readonly committed_at: string | null;
}

export interface DeployDeps {
  readonly services: ServiceStore;
  readonly locks: LockStore;
  readonly git: GitSource;
  readonly folders: ReleaseFolders;
  readonly processes: ProcessDriver;
  readonly sample: Sampler;
  readonly freeBytes: () => Promise<number>;
}

/** The side effects of a deploy on one box. Each looks before it acts and shows its lock's token before it writes. */
export function createDeployActivities(deps: DeployDeps) {
  const { services, locks, git, folders, processes } = deps;

  async function specOf(name: string): Promise<StoredService['spec']> {
    const service = await services.find(name);
    if (service === null) throw new PermanentFailure('ServiceUnknown', `No service is called ${name}`);
    return service.spec;
  }

  async function mustHold({ service, lock_token }: Pick<InstanceOrder, 'service' | 'lock_token'>): Promise<void> {
    if (await locks.holds(`service/${service}`, lock_token)) return;
    throw new PermanentFailure('LockLost', `This run no longer holds service/${service}`);
  }

  /** An attempt that wakes up late must not start what has been given up in the meantime. */
  async function mustBeDesired({ service, instance }: InstanceOrder): Promise<void> {
    const desired = (await services.find(service))?.desired;
    if (desired?.state === 'running' && desired.instance === instance) return;
    throw new PermanentFailure('DesiredStateChanged', `${instance} is not what ${service} should run any more`);
  }

  return {
    /** The commit that a ref means now. Always fetched first: yesterday's answer would be one release too old. */
    async resolveRelease(service: string, ref: string): Promise<ResolvedRelease> {
      const { source } = await specOf(service);
      return withHeartbeat(async (signal) => {
        await git.fetch(service, source.git, { signal });
        const { commit, branch, committed_at } = await git.resolve(service, ref);
        return { release_id: commit, branch, committed_at };
      });
    },

    /** Row D12, as far as it goes today: room on the disk. Throws GuardRefused, naming the guard. */
    async checkGuards(service: string): Promise<{ readonly free_disk_bytes: number }> {
      const { policy } = await specOf(service);
      const free = await deps.freeBytes();
      if (free < policy.least_free_disk_bytes) {
        const short = `${free} bytes are free, ${policy.least_free_disk_bytes} are asked for`;
        throw new PermanentFailure('GuardRefused', `disk_space: ${short}`);
      }
      return { free_disk_bytes: free };
    },

    /** The immutable folder of this commit; one that is there and intact is used as it is. */
    async buildRelease(service: string, release: ResolvedRelease, lock_token: string): Promise<{ digest: string }> {
      const spec = await specOf(service);
      await mustHold({ service, lock_token });
      const { digest } = await withHeartbeat((signal) =>
        folders.build({
          service,
          release_id: release.release_id,
          export: (folder) => git.export(service, release.release_id, folder, { signal }),
          steps: spec.build,
          env: provenance(release),
          signal,
        }),
      );
      await services.recordBuilt(service, { release_id: release.release_id, digest, config_hash: configHash(spec) });
      return { digest };
    },

    /** Are the bits of this release still there, and still the same? */
    verifyRelease: (service: string, release_id: string): Promise<'ok' | 'missing' | 'changed'> =>
      withHeartbeat((signal) => folders.verify(service, release_id, signal)),

    /** Takes down every process of the service but the one to keep. Returns what was stopped. */
    async stopOthers(
      order: Omit<InstanceOrder, 'release_id' | 'instance'> & { keep: string | null },
    ): Promise<string[]> {
      const { run } = await specOf(order.service);
      return withHeartbeat(async (signal) => {
        const others = (await processes.alive(order.service)).filter(({ instance }) => instance !== order.keep);
        for (const { instance } of others) {
          await mustHold(order);
          await processes.stop(order.service, instance, { timeout_ms: run.stop_timeout_ms, signal });
        }
        return others.map(({ instance }) => instance);
      });
    },

    async startInstance(order: InstanceOrder): Promise<{ pid: number | null; started_at: string | null }> {
      const { run } = await specOf(order.service);
      await mustHold(order);
      await mustBeDesired(order);
      const state = await withHeartbeat(async () =>
        processes.start({
          service: order.service,
          release_id: order.release_id,
          instance: order.instance,
          argv: run.argv,
          cwd: folders.pathInside(order.service, order.release_id, run.cwd),
          env: {
            ...provenance({ release_id: order.release_id }),
            HOLDFAST_DATA: await folders.dataFolder(order.service),
            ...run.env,
          },
        }),
      );
      return { pid: state.pid, started_at: state.started_at };
    },

    /** Looks at an instance `count` times, a period apart; ends early when it no longer runs. */
    async observeInstance(service: string, instance: string, count: number): Promise<readonly Sample[]> {
      const { probes, watch } = await specOf(service);
      return withHeartbeat(async (signal) => {
        const samples: Sample[] = [];
        while (samples.length < count) {
          const sample = await deps.sample({ service, instance, probes, signal });
          samples.push(sample);
          if (!sample.running) break;
          if (samples.length < count) await setTimeout(watch.period_ms, undefined, { signal });
        }
        return samples;
      });
    },

    /** Retention: removes the bits of old releases and the remains of old instances. Returns the releases that went. */
    async prune(service: string, inUse: { releases: readonly string[]; instance: string }): Promise<readonly string[]> {
      const { retention } = await specOf(service);
      const gone = releasesToPrune(await services.releases(service), retention.keep_releases, inUse.releases);
      await withHeartbeat(async () => {
        for (const { release_id, standing } of gone) {
          // A bad release stays known as bad, also without its bits.
          if (standing !== 'known_bad') await services.setStanding(service, release_id, 'gone');
          await folders.remove(service, release_id);
        }
        await processes.prune(service, [inUse.instance]);
      });
      return gone.map(({ release_id }) => release_id);
    },
  };
}

export type DeployActivities = ReturnType<typeof createDeployActivities>;

/** Row D15: what a service needs to say of itself which build it is. */
function provenance(release: Pick<ResolvedRelease, 'release_id'> & Partial<ResolvedRelease>): Record<string, string> {
  return {
    BUILD_SHA: release.release_id,
    ...(release.committed_at == null ? {} : { BUILD_TIME: release.committed_at }),
    ...(release.branch == null ? {} : { BUILD_BRANCH: release.branch }),
  };
}
