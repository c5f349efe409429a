import type { Driver } from '../../adapters/drivers/driver.ts';
import type { InstanceStore } from '../../adapters/postgres/instances.ts';
import type { ServiceStore, StoredService } from '../../adapters/postgres/services.ts';
import { checkHealth } from '../../adapters/probe/sampler.ts';
import type { ProbeResult, ServiceHealth } from '../../domain/deploy/probe.ts';
import type { DriverName } from '../../domain/deploy/words.ts';
import { unavailable } from '../problem.ts';
import type { Route } from '../route.ts';
import { known } from './service.ts';

export interface ServiceHealthDeps {
  readonly services: ServiceStore;
  readonly instances: InstanceStore;
  readonly drivers: Readonly<Record<DriverName, Driver>>;
  /** Whose services can be probed from here. */
  readonly box: string;
}

/** Row D5, asked by a person: the same probes that the watch uses, now. */
export function serviceHealthRoutes(route: Route, { services, instances, drivers, box }: ServiceHealthDeps): void {
  route('service_health', async ({ params }) => {
    const service = await known(services, params.name);
    if (service.spec.box !== box) {
      throw unavailable(`${service.name} runs on the box ${service.spec.box}, and is probed there; this is ${box}.`);
    }
    const name = service.desired.instance;
    const instance = name === null ? null : await instances.find(name);
    if (instance === null) return { status: 200, body: shown(service, notThere()) };
    const via = instance.spec.traffic === undefined ? 'instance' : 'traffic';
    const signal = AbortSignal.timeout(10_000);
    const found = await checkHealth({ instance, driver: drivers[instance.spec.driver], via, signal });
    return { status: 200, body: shown(service, found) };
  });
}

function shown({ name, desired }: StoredService, result: ProbeResult): ServiceHealth {
  const { instance, release_id, state } = desired;
  return { ...result, service: name, instance, release_id, desired: state };
}

function notThere(): ProbeResult {
  return {
    ...{ healthy: false, running: false, pid: null, probe: 'process', reason: 'process_not_running' },
    ...{ checked_at: new Date().toISOString(), returncode: null, http_status: null, command: null },
  };
}
