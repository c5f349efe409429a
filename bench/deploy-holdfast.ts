import type { Client } from '@temporalio/client';
import getPort from 'get-port';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createDocker } from '../adapters/docker/connection.ts';
import { createProcessDriver } from '../adapters/process/driver.ts';
import { createForwarderSwitch } from '../adapters/switch/forwarder-switch.ts';
import { connectTemporal } from '../adapters/temporal/connect.ts';
import { deploySchema, type DeployRequest, type DeployResult } from '../domain/deploy/schemas.ts';
import { serviceSpecSchema, type ServiceSpecInput } from '../domain/service.ts';
import { boxPaths } from '../infra/box-paths.ts';
import type { Config } from '../infra/config.ts';
import type { Report } from '../infra/stack/report.ts';
import { startStack } from '../infra/stack/stack.ts';
import { unlessAborted, type Cleanup } from './deploy-cleanup.ts';

/** A Holdfast of this run's own, asked over its API as anybody would. */
export interface Holdfast {
  readonly client: Client;
  register(service: string, spec: ServiceSpecInput): Promise<void>;
  deploy(service: string, request?: Partial<DeployRequest>): Promise<DeployEnd>;
}

export interface DeployEnd {
  readonly result: DeployResult;
  /** From the request to the end of the run, when nothing of it is left to be done. */
  readonly ms: number;
  readonly history_events: number;
}

/** The servers, the worker and the API as `holdfast up` starts them, in `home`, which must be there and is removed at the end. */
export async function startHoldfast(
  usual: Config,
  home: string,
  { report, cleanup, signal }: { report: Report; cleanup: Cleanup; signal: AbortSignal },
): Promise<Holdfast> {
  const config: Config = {
    ...usual,
    home,
    temporal: { ...usual.temporal, address: null },
    postgres: { ...usual.postgres, url: null },
    qdrant: { ...usual.qdrant, url: null },
    api: { host: '127.0.0.1', port: await getPort() },
  };
  cleanup.add('the data folder', () => removeTree(home));
  const registered = new Map<string, ServiceSpecInput>();
  // After the worker has ended: nothing is started any more.
  cleanup.add('the services', () => takeDown(config, registered));
  const starting = startStack(config, report, { apps: true, signal });
  cleanup.add('the stack', async () => (await starting.catch(() => null))?.stop());
  const stack = await starting;
  const token = (await readFile(join(stack.home.secrets, 'admin-token'), 'utf8')).trim();
  const temporal = connectTemporal({ address: stack.temporal_address, namespace: config.temporal.namespace });
  cleanup.add('the connection to Temporal', () => temporal.close());

  async function ask(method: 'PUT' | 'POST', path: string, body: object): Promise<unknown> {
    const response = await fetch(`${stack.api_url ?? ''}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal,
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.json();
  }

  return {
    client: temporal.client,
    async register(service, spec) {
      registered.set(service, spec);
      await ask('PUT', `/v1/services/${service}`, spec);
    },
    async deploy(service, request = {}) {
      const since = performance.now();
      const started = deploySchema.parse(await ask('POST', `/v1/services/${service}/deploys`, request));
      const run = temporal.client.workflow.getHandle(started.workflow_id, started.run_id ?? undefined);
      const result = (await unlessAborted(signal, run.result())) as DeployResult;
      const ms = performance.now() - since;
      const { events } = await run.fetchHistory();
      return { result, ms, history_events: events?.length ?? 0 };
    },
  };
}

/** What outlives the worker and the stack: that is what it is for. */
async function takeDown(config: Config, registered: ReadonlyMap<string, ServiceSpecInput>): Promise<void> {
  const { keeperPath, forwarderPath } = boxPaths(config);
  const keepers = (root: string) => createProcessDriver({ root, keeperPath, env: process.env });
  const processes = keepers(join(config.home, 'services'));
  const root = join(config.home, 'switches');
  const switches = createForwarderSwitch({ root, processes: keepers(root), forwarderPath });
  for (const [service, input] of registered) {
    for (const { instance } of await processes.alive(service))
      await processes.stop(service, instance, { timeout_ms: 0 });
    const { traffic, driver } = serviceSpecSchema.parse(input);
    if (traffic !== undefined) await switches.remove(service, { ...traffic, drain_ms: 0 });
    if (driver === 'docker') await removeContainers(config, `holdfast.home=${config.home}`, `holdfast/${service}`);
  }
}

/** Everything in Docker that carries this label, and the images of this name. */
export async function removeContainers(
  { dockerHost }: Pick<Config, 'dockerHost'>,
  label: string,
  image: string,
): Promise<void> {
  const { api } = createDocker({ host: dockerHost });
  for (const { Id } of await api.listContainers({ all: true, filters: { label: [label] } })) {
    await api.getContainer(Id).remove({ force: true, v: true });
  }
  for (const { Id } of await api.listImages({ filters: { reference: [image] } })) {
    await api.getImage(Id).remove({ force: true });
  }
}

/** Also releases, which are read-only: only root may ignore that. */
async function removeTree(path: string): Promise<void> {
  if (!existsSync(path)) return;
  await promisify(execFile)('chmod', ['-R', 'u+w', path]);
  await rm(path, { recursive: true, force: true, maxRetries: 5 });
}
