import { setTimeout as sleep } from 'node:timers/promises';
import { DriverAbsent, type Driver, type ResolvedRelease } from '../adapters/drivers/driver.ts';
import type { DeployStore } from '../adapters/postgres/deploys.ts';
import type { InstanceStore, StoredInstance } from '../adapters/postgres/instances.ts';
import type { LockStore } from '../adapters/postgres/locks.ts';
import type { ServiceStore } from '../adapters/postgres/services.ts';
import type { DependencyProbe, Sampler } from '../adapters/probe/sampler.ts';
import type { ReleaseSources } from '../adapters/release-sources/release-sources.ts';
import type { TrafficSwitch } from '../adapters/switch/switch.ts';
import { checkGuards, type GuardFinding } from '../domain/deploy/guards.ts';
import { configHash } from '../domain/deploy/identity.ts';
import {
  cutOverOf,
  expectedBuildSha,
  takesPort,
  withPort,
  type IdentityCheck,
  type Instance,
  type InstanceRole,
} from '../domain/deploy/instance.ts';
import type { Bits, SourceAnswer } from '../domain/deploy/metadata.ts';
import { releasesToPrune } from '../domain/deploy/retention.ts';
import { judge, observe, type WatchRules, type WatchState } from '../domain/deploy/watch.ts';
import type { CutOver, DeployKind, DriverName, ReleaseSource } from '../domain/deploy/words.ts';
import { PermanentFailure } from '../domain/failures.ts';
import type { ServiceSpec } from '../domain/service.ts';
import { beating, withHeartbeat } from './heartbeat.ts';

/** The right to change a service: the fencing token of the lock on it. */
export interface Right {
  readonly service: string;
  readonly lock_token: string;
}

/** A start that is to be written down: which release, for which deploy, and why. */
export interface PlaceOrder extends Right {
  readonly instance: string;
  readonly deploy_id: string;
  readonly run_id: string;
  readonly release_id: string;
  readonly role: InstanceRole;
}

export interface Placed {
  readonly instance: string;
  readonly port: number | null;
  readonly cut_over: CutOver;
  /** What the service should say of itself; null where the driver cannot know. */
  readonly expected_build_sha: string | null;
}

export interface LookOrder {
  readonly instance: string;
  /** `traffic`: as the world sees it, through the switch. */
  readonly via: 'instance' | 'traffic';
  readonly rules: WatchRules;
  readonly state: WatchState;
  readonly expected_build_sha: string | null;
  /** Come back after so long, also without a verdict. */
  readonly slice_ms: number;
}

export interface DeployDeps {
  readonly services: ServiceStore;
  readonly deploys: DeployStore;
  readonly instances: InstanceStore;
  readonly locks: LockStore;
  readonly drivers: Readonly<Record<DriverName, Driver>>;
  readonly traffic: TrafficSwitch;
  readonly sample: Sampler;
  readonly probeDependency: DependencyProbe;
  readonly sources: ReleaseSources;
  readonly freeBytes: () => Promise<number>;
  readonly freePort: () => Promise<number>;
  /** When the newest proven recovery point was made; null: none is known. */
  readonly recoveryPointAt: () => Promise<Date | null>;
}

/** The side effects of a deploy on one box. Each looks before it acts and shows its lock's token before it writes. */
export function createDeployActivities(deps: DeployDeps) {
  const { services, deploys, instances, locks, drivers, traffic } = deps;

  async function specOf(deploy_id: string): Promise<{ service: string; spec: ServiceSpec & { box: string } }> {
    const [deploy, spec] = [await deploys.find(deploy_id), await deploys.specOf(deploy_id)];
    if (deploy === null || spec === null) throw new PermanentFailure('ServiceUnknown', `No deploy is ${deploy_id}`);
    return { service: deploy.service, spec };
  }

  async function registered(name: string): Promise<ServiceSpec> {
    const found = await services.find(name);
    if (found === null) throw new PermanentFailure('ServiceUnknown', `No service is called ${name}`);
    return found.spec;
  }

  async function placed(instance: string): Promise<StoredInstance> {
    const found = await instances.find(instance);
    if (found === null) throw new PermanentFailure('ReleaseUnknown', `No instance is called ${instance}`);
    return found;
  }

  async function mustHold({ service, lock_token }: Right): Promise<void> {
    if (await locks.holds(`service/${service}`, lock_token)) return;
    throw new PermanentFailure('LockLost', `This run no longer holds service/${service}`);
  }

  async function bitsOf(service: string, release_id: string): Promise<{ digest: string; known: boolean }> {
    const found = (await services.releases(service)).find((release) => release.release_id === release_id);
    return { digest: found?.digest ?? '', known: found !== undefined };
  }

  /** What runs under any driver that the service ever had; of the operator's own commands only the last, and only when nothing is to stay. */
  async function toStop(service: string, keep: readonly string[]): Promise<readonly (readonly [Driver, Instance])[]> {
    const rows = await instances.list(service);
    const spec = await registered(service);
    const found: (readonly [Driver, Instance])[] = [];
    const used = new Set(rows.map((row) => row.spec.driver));
    const before = rows.filter(({ instance }) => !keep.includes(instance)).at(-1)?.spec.driver;
    for (const driver of new Set([...used, spec.driver])) {
      const needed = used.has(driver) && (driver === spec.driver || driver === before);
      for (const name of new Set(await aliveUnder(drivers[driver], service, needed))) {
        const row = rows.find(({ instance }) => instance === name) ?? stranger(service, name, spec);
        if (!keep.includes(name)) found.push([drivers[driver], row]);
      }
    }
    const last = rows.at(-1);
    if (keep.length === 0 && last?.spec.driver === 'command') found.push([drivers.command, last]);
    return found;
  }

  async function running(service: string): Promise<Instance | null> {
    const desired = (await services.find(service))?.desired.instance ?? null;
    return desired === null ? null : instances.find(desired);
  }

  /** A switch that is not ours has to answer before anything is changed. */
  async function switchObstacles(service: string, { traffic: wanted }: ServiceSpec): Promise<readonly string[]> {
    if (wanted?.caddy === undefined) return [];
    return traffic.current(service, wanted).then(
      () => [],
      (error: unknown) => [error instanceof Error ? error.message : String(error)],
    );
  }

  return {
    /** What this deploy deploys, in full. */
    async resolveRelease(deploy_id: string, wanted: string | null): Promise<ResolvedRelease> {
      const { service, spec } = await specOf(deploy_id);
      return withHeartbeat((signal) => drivers[spec.driver].resolve({ service, spec, wanted, signal }));
    },

    /** Row D3: what the sources say that only the box can ask. None of them throws. */
    async askSources(
      deploy_id: string,
      release_id: string,
      sources: readonly Exclude<ReleaseSource, 'request' | 'registry'>[],
    ): Promise<readonly SourceAnswer[]> {
      const { service, spec } = await specOf(deploy_id);
      return withHeartbeat(async (signal) => {
        const answers: SourceAnswer[] = [];
        for (const source of sources) {
          answers.push(await deps.sources[source].ask({ service, spec, release_id, signal }));
          if (answers.at(-1)?.ids !== null) break;
        }
        return answers;
      });
    },

    /** Row D12: all guards are looked at, so that all that is in the way is said at once. */
    async checkGuards(deploy_id: string, kind: DeployKind): Promise<readonly GuardFinding[]> {
      const { service, spec } = await specOf(deploy_id);
      const { policy } = await registered(service);
      return withHeartbeat(async () =>
        checkGuards({
          ...{ kind, policy, now_ms: Date.now() },
          free_disk_bytes: await deps.freeBytes(),
          recovery_point_at_ms: (await deps.recoveryPointAt())?.getTime() ?? null,
          obstacles: [
            ...(await drivers[spec.driver].obstacles(spec, service)),
            ...(await switchObstacles(service, spec)),
          ],
        }),
      );
    },

    /** Row D7: which of the service's dependencies are down. */
    async downDependencies(deploy_id: string): Promise<readonly string[]> {
      const { spec } = await specOf(deploy_id);
      return withHeartbeat(async (signal) => {
        const up = await Promise.all(
          spec.dependencies.map((each) => deps.probeDependency(each, spec.probes.timeout_ms, signal)),
        );
        return spec.dependencies.filter((_, i) => up[i] === false).map(({ name }) => name);
      });
    },

    /** The bits of this release; those that are there and intact are used as they are. */
    async buildRelease(deploy_id: string, release: ResolvedRelease, lock_token: string): Promise<{ digest: string }> {
      const { service, spec } = await specOf(deploy_id);
      await mustHold({ service, lock_token });
      const { release_id, branch, committed_at } = release;
      const provenance = { build_sha: release_id, build_time: committed_at, build_branch: branch };
      const built = await withHeartbeat((signal) =>
        drivers[spec.driver].build({ service, spec, release, provenance, signal }),
      );
      await services.recordBuilt(service, { ...release, ...built, config_hash: configHash(spec) });
      return { digest: built.digest };
    },

    /** Are the bits of this release still there, and still the same? */
    async verifyRelease(deploy_id: string, release_id: string): Promise<Bits> {
      const { service, spec } = await specOf(deploy_id);
      if (spec.driver === 'command') return 'unowned';
      const { digest } = await bitsOf(service, release_id);
      return withHeartbeat((signal) => drivers[spec.driver].verify({ service, release_id, digest }, signal));
    },

    /** Writes down a start before it happens. A release to go back to is started as it was when it was proved. */
    async placeInstance(order: PlaceOrder): Promise<Placed> {
      const { service, release_id, deploy_id, run_id, instance, role } = order;
      await mustHold(order);
      const pinned = (await specOf(deploy_id)).spec;
      const goesBack = role === 'rollback' || (await deploys.find(deploy_id))?.kind === 'rollback';
      const spec = (goesBack ? await services.promotedSpec(service, release_id) : null) ?? pinned;
      const release = (await services.releases(service)).find((each) => each.release_id === release_id);
      const port = takesPort(spec) ? await deps.freePort() : null;
      const cut_over = cutOverOf(spec, (await running(service))?.spec ?? null);
      const row = await instances.place({
        ...{ instance, service, release_id, deploy_id, run_id, role, port },
        spec: withPort(spec, port),
        config_hash: configHash(spec),
        digest: release?.digest ?? '',
        provenance: {
          build_sha: release_id,
          build_time: release?.committed_at?.toISOString() ?? null,
          build_branch: release?.branch ?? null,
        },
      });
      return { instance, port: row.port, cut_over, expected_build_sha: expectedBuildSha(row) };
    },

    /** The instance that should run now, if it does: what a start-first deploy goes back to without starting anything. */
    async standby(order: Right & { instance: string | null; release_id: string }): Promise<Placed | null> {
      const found = order.instance === null ? null : await instances.find(order.instance);
      if (found?.wanted !== true || found.release_id !== order.release_id) return null;
      const { running } = await drivers[found.spec.driver].inspect(found);
      if (!running || found.port === null) return null;
      const { instance, port } = found;
      return { instance, port, cut_over: 'start_first', expected_build_sha: expectedBuildSha(found) };
    },

    /** Takes down every instance of the service but those to keep, whatever started them. Returns what was stopped. */
    async stopOthers(order: Right & { keep: readonly string[] }): Promise<readonly string[]> {
      const { service, keep } = order;
      await mustHold(order);
      await instances.giveUpOthers(service, keep);
      return withHeartbeat(async (signal) => {
        const stopped: string[] = [];
        for (const [driver, instance] of await toStop(service, keep)) {
          await mustHold(order);
          await driver.stop(instance, signal);
          stopped.push(instance.instance);
        }
        return stopped;
      });
    },

    async startInstance(order: Right & { instance: string }): Promise<{
      readonly pid: number | null;
      readonly container_id: string | null;
      readonly started_at: string | null;
    }> {
      const instance = await placed(order.instance);
      await mustHold(order);
      if (!instance.wanted) throw new PermanentFailure('DesiredStateChanged', `${order.instance} was given up`);
      return withHeartbeat(async (signal) => {
        const driver = drivers[instance.spec.driver];
        const { pid, container_id, started_at } = await driver.start(instance, signal);
        // It may have been given up while it was being started, by a run that thought this attempt dead.
        if (!(await placed(order.instance)).wanted) {
          await driver.stop(instance, signal);
          throw new PermanentFailure('DesiredStateChanged', `${order.instance} was given up`);
        }
        return { pid, container_id, started_at };
      });
    },

    /** Looks a period apart until there is a verdict or the slice is over. What was seen survives the worker. */
    async observeInstance({ instance: name, via, rules, state: before, ...order }: LookOrder): Promise<WatchState> {
      const instance = await placed(name);
      const driver = drivers[instance.spec.driver];
      return beating(before, async (resumed, beat, signal) => {
        let state = resumed;
        const until = Date.now() + order.slice_ms;
        for (;;) {
          const began = Date.now();
          state = observe(state, await deps.sample({ instance, driver, via, signal }), rules);
          beat(state);
          if (judge(state, rules, order.expected_build_sha).verdict !== 'unknown' || Date.now() >= until) return state;
          await sleep(Math.max(0, began + rules.period_ms - Date.now()), undefined, { signal });
        }
      });
    },

    /** Row D2: is what runs what was deployed? */
    async checkIdentity(name: string): Promise<readonly IdentityCheck[]> {
      const instance = await placed(name);
      return withHeartbeat(() => drivers[instance.spec.driver].identity(instance));
    },

    /** Sends the world to this instance, where a switch stands in front; does nothing where there is none. */
    async pointTraffic(order: Right & { instance: string }): Promise<{ readonly switched: boolean }> {
      const { service, port, spec } = await placed(order.instance);
      await mustHold(order);
      if (spec.traffic === undefined || port === null) return { switched: false };
      const wanted = spec.traffic;
      await withHeartbeat(() => traffic.point(service, wanted, port));
      return { switched: true };
    },

    /** Waits for what is still under way to other instances; no longer than drain_ms. */
    async drainTraffic(name: string): Promise<{ readonly cut: number }> {
      const { service, spec } = await placed(name);
      const { traffic: wanted } = spec;
      if (wanted === undefined) return { cut: 0 };
      return withHeartbeat((signal) => traffic.drain(service, wanted, signal));
    },

    /** Takes the switch of an earlier specification away, which would hold the port that this one needs. */
    async removeSwitch(order: Right & { instance: string | null }): Promise<void> {
      const found = order.instance === null ? null : await instances.find(order.instance);
      if (found?.spec.traffic === undefined) return;
      const { traffic: before } = found.spec;
      await mustHold(order);
      await withHeartbeat(() => traffic.remove(order.service, before));
    },

    /** Retention: removes the bits of old releases and the remains of old instances. Returns the releases that went. */
    async prune(service: string, inUse: { releases: readonly string[]; instance: string }): Promise<readonly string[]> {
      const spec = await registered(service);
      if (spec.deployment_context === 'external') return [];
      const gone = releasesToPrune(await services.releases(service), spec.retention.keep_releases, inUse.releases);
      const driver = drivers[spec.driver];
      await withHeartbeat(async () => {
        for (const { release_id, standing } of gone) {
          const { digest } = await bitsOf(service, release_id);
          // A bad release stays known as bad, also without its bits.
          if (standing !== 'known_bad') await services.setStanding(service, release_id, 'gone');
          await driver.removeRelease({ service, release_id, digest });
        }
        await driver.pruneInstances(service, [inUse.instance]);
      });
      return gone.map(({ release_id }) => release_id);
    },
  };
}

export type DeployActivities = ReturnType<typeof createDeployActivities>;

/** Nothing runs under a driver that is gone from the box; where the service may run just now, "gone" is not good enough. */
async function aliveUnder(driver: Driver, service: string, needed: boolean): Promise<readonly string[]> {
  try {
    return await driver.alive(service);
  } catch (error) {
    if (error instanceof DriverAbsent && !needed) return [];
    throw error;
  }
}

/** Something of this service that runs and has no row, as after the loss of the operations database. */
function stranger(service: string, instance: string, spec: ServiceSpec): Instance {
  return {
    ...{ instance, service, spec, release_id: '', deploy_id: '', run_id: '' },
    ...{ role: 'candidate', config_hash: '', digest: '', port: null },
    provenance: { build_sha: '', build_time: null, build_branch: null },
  };
}
