import { setTimeout as sleep } from 'node:timers/promises';
import type { Driver } from '../adapters/drivers/driver.ts';
import type { InstanceStore, StoredInstance } from '../adapters/postgres/instances.ts';
import type { LockStore } from '../adapters/postgres/locks.ts';
import type { ServiceStore } from '../adapters/postgres/services.ts';
import type { DependencyProbe, Sampler } from '../adapters/probe/sampler.ts';
import type { DeployRuns } from '../adapters/temporal/deploys.ts';
import { RunInTheWay } from '../adapters/temporal/start-alone.ts';
import { expectedBuildSha } from '../domain/deploy/instance.ts';
import { targetOf } from '../domain/deploy/metadata.ts';
import { decideRollback, type RollbackDecision } from '../domain/deploy/policy.ts';
import { deployRequestSchema } from '../domain/deploy/schemas.ts';
import {
  judgeStanding,
  observeStanding,
  type StandingRules,
  type StandingState,
  type StandingVerdict,
} from '../domain/deploy/standing-watch.ts';
import { nothingSeen } from '../domain/deploy/watch.ts';
import type { DeploymentContext, DriverName, FailureClass } from '../domain/deploy/words.ts';
import type { WatchVerdict } from '../domain/deploy/run.ts';
import { PermanentFailure } from '../domain/failures.ts';
import { beating } from './heartbeat.ts';

/** What a watch looks after, as it is now; null: nothing, the service is stopped. No secrets. */
export interface Charge {
  readonly instance: string;
  readonly release_id: string;
  readonly epoch: number;
  readonly safe_mode: boolean;
  readonly deployment_context: DeploymentContext;
  /** Promoted, and not soaked yet. */
  readonly young: boolean;
  /** Unix time at which it counts as soaked; null: it does, or never will. */
  readonly soaked_at_ms: number | null;
  readonly rules: StandingRules;
  readonly expected_build_sha: string | null;
  readonly restarts_ms: readonly number[];
  /** A deploy or something else that changes the service is under way. */
  readonly held_by: string | null;
}

export interface StandOrder {
  readonly instance: string;
  readonly rules: StandingRules;
  readonly expected_build_sha: string | null;
  /** Come back at this Unix time, also when all is well. */
  readonly until_ms: number;
  /** What is known and reported already: come back when it is something else. */
  readonly known: StandingVerdict['finding'] | null;
}

export interface StandReport {
  readonly verdict: StandingVerdict;
  readonly dependency_down: boolean;
  /** The machine was started anew since the service was. */
  readonly rebooted: boolean;
}

export interface WatchDeps {
  readonly services: ServiceStore;
  readonly instances: InstanceStore;
  readonly locks: LockStore;
  readonly runs: Pick<DeployRuns, 'start'>;
}

/** What watch/<service> asks of the operations database. Each may be repeated. */
export function createWatchActivities({ services, instances, locks, runs }: WatchDeps) {
  return {
    async charge(service: string): Promise<Charge | null> {
      const found = await services.find(service);
      const name = found?.desired.state === 'running' ? found.desired.instance : null;
      const instance = name === null ? null : await instances.find(name);
      if (found == null || instance === null) return null;
      const release = (await services.releases(service)).find(({ release_id }) => release_id === instance.release_id);
      const { watch, probes } = instance.spec;
      const promoted = release?.promoted_at?.getTime() ?? null;
      const soaks = promoted === null || release?.soaked_at != null ? null : promoted + watch.soak_ms;
      const since = new Date(Date.now() - watch.restart.window_ms);
      const holder = (await locks.list()).find(({ resource }) => resource === `service/${service}`);
      return {
        ...{ instance: instance.instance, release_id: instance.release_id, epoch: found.desired.epoch },
        ...{ safe_mode: found.safe_mode, deployment_context: instance.spec.deployment_context },
        young: soaks !== null && Date.now() < soaks,
        soaked_at_ms: soaks,
        rules: {
          watch: { ...watch, period_ms: watch.idle_period_ms, timeout_ms: probes.timeout_ms },
          ...{ soak_ms: watch.soak_ms, restart: watch.restart },
        },
        expected_build_sha: expectedBuildSha(instance),
        restarts_ms: (await instances.restartsSince(service, since)).map((at) => at.getTime()),
        held_by: holder?.workflow_id ?? null,
      };
    },

    /** What policy says to going back from this instance, as far as the registry knows; deploy/<service> asks again. */
    async rollbackOf(service: string, name: string, failure_class: FailureClass): Promise<RollbackDecision> {
      const [found, instance] = [await services.find(service), await instances.find(name)];
      if (found === null || instance === null) throw new PermanentFailure('ServiceUnknown', `No ${service} or ${name}`);
      const { policy, deployment_context, driver, commands } = found.spec;
      const releases = await services.releases(service);
      const { release_id } = instance;
      const target = releases.find((each) => each.standing === 'good' && each.release_id !== release_id)?.release_id;
      const deployed = releases.find((each) => each.release_id === release_id);
      return decideRollback({
        ...{ failure_class, deployment_context, override: null, deployed_release_id: release_id },
        safe_mode: found.safe_mode,
        automatic_rollback_used: instance.role === 'rollback',
        enabled: policy.rollback_on[failure_class][deployment_context],
        has_executor: driver !== 'command' || commands?.rollback !== undefined,
        target: target === undefined ? null : targetOf(target, releases, { deployed }),
      });
    },

    markSoaked: (service: string, release_id: string): Promise<void> => services.markSoaked(service, release_id),

    /** Hands a verdict over to deploy/<service>; `busy`: something else changes the service, so the verdict is dropped. */
    async handOver(
      input: { service: string; box: string; deploy_id: string },
      verdict: WatchVerdict,
    ): Promise<'started' | 'busy'> {
      try {
        await runs.start({
          ...input,
          actor: `watch/${input.service}`,
          request: deployRequestSchema.parse({ kind: 'rollback' }),
          watch: verdict,
        });
        return 'started';
      } catch (error) {
        if (!(error instanceof RunInTheWay)) throw error;
        return error.record_id === input.deploy_id ? 'started' : 'busy';
      }
    },

    /** The same start again under a new name. The port is kept, so that nobody has to be told. */
    async placeRestart(order: { service: string; instance: string; epoch: number; run_id: string }): Promise<string> {
      const before = await instances.find(order.instance);
      if (before === null) throw new PermanentFailure('ReleaseUnknown', `No instance is called ${order.instance}`);
      const instance = `${order.instance.replace(/\.r\d+$/, '')}.r${order.epoch}`;
      await instances.place({ ...before, instance, run_id: order.run_id });
      return instance;
    },
  };
}

export type WatchActivities = ReturnType<typeof createWatchActivities>;

export interface StandDeps {
  readonly instances: InstanceStore;
  readonly drivers: Readonly<Record<DriverName, Driver>>;
  readonly sample: Sampler;
  readonly probeDependency: DependencyProbe;
  /** Unix time at which this machine was started. */
  readonly bootedAt: () => number;
}

/** The look at a service that goes on for as long as it lives; on its box. */
export function createStandActivities({ instances, drivers, sample, probeDependency, bootedAt }: StandDeps) {
  return {
    /** Looks until something is not well, or is well again, or the time is over. Changes nothing. */
    async stand(order: StandOrder): Promise<StandReport> {
      const instance = await instances.find(order.instance);
      if (instance === null) throw new PermanentFailure('ReleaseUnknown', `No instance is called ${order.instance}`);
      const driver = drivers[instance.spec.driver];
      const { rules } = order;
      return beating({ watch: nothingSeen, dead_since_ms: null as number | null }, async (resumed, beat, signal) => {
        let state = resumed;
        for (;;) {
          const began = Date.now();
          // Through the switch where there is one: what the world sees is what counts.
          const via = instance.spec.traffic === undefined ? 'instance' : 'traffic';
          state = observeStanding(state, await sample({ instance, driver, via, signal }), rules);
          beat(state);
          const verdict = judgeStanding(state, rules, order.expected_build_sha);
          if (isNews(verdict, order.known) || Date.now() >= order.until_ms) {
            const dependency_down = verdict.finding !== 'well' && (await anyDown(instance, signal));
            return { verdict, dependency_down, rebooted: startedBefore(bootedAt(), state) };
          }
          const pause = Math.min(began + rules.watch.period_ms, order.until_ms) - Date.now();
          await sleep(Math.max(0, pause), undefined, { signal });
        }
      });
    },
  };

  async function anyDown({ spec }: StoredInstance, signal: AbortSignal): Promise<boolean> {
    const up = await Promise.all(
      spec.dependencies.map((each) => probeDependency(each, spec.probes.timeout_ms, signal)),
    );
    return up.includes(false);
  }
}

export type StandActivities = ReturnType<typeof createStandActivities>;

function startedBefore(at_ms: number, { watch: { last } }: StandingState): boolean {
  return last?.started_at != null && Date.parse(last.started_at) < at_ms;
}

function isNews({ finding }: StandingVerdict, known: StandOrder['known']): boolean {
  if (finding === 'unknown') return false;
  return known === null ? finding !== 'well' : finding !== known;
}
