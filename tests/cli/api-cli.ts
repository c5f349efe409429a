import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createDeployStore } from '../../adapters/postgres/deploys.ts';
import { emptyResult } from '../../domain/deploy/result.ts';
import { deployRequestSchema, type DeployResult } from '../../domain/deploy/schemas.ts';
import { parsedSpec, serviceNameOfItsOwn, smallestSpec, startApi, type TestApi } from '../api/start-api.ts';
import { createCli, type Cli, type Running } from './run-cli.ts';

export interface ApiCli {
  readonly api: TestApi;
  /** As an administrator of that API, with a data folder in which nothing ever ran. */
  readonly cli: Cli;
  readonly home: string;
  /** A registered service; a run that is started for it ends with the test. */
  readonly service: () => Promise<string>;
  close(): Promise<void>;
}

/** The real command against the real API. No worker runs, so what is started stays as it is. */
export async function startApiCli(): Promise<ApiCli> {
  const api = await startApi();
  const home = mkdtempSync(join(tmpdir(), 'holdfast-cli-'));
  const names: string[] = [];
  return {
    api,
    home,
    cli: createCli(home, { HOLDFAST_URL: api.url, HOLDFAST_TOKEN: api.tokens.admin }),
    async service() {
      const name = serviceNameOfItsOwn();
      names.push(name);
      await api.ask('PUT', `/v1/services/${name}`, { body: smallestSpec });
      return name;
    },
    async close() {
      const { workflow } = api.temporal.client;
      const ended = names.map((name) => workflow.getHandle(`deploy/${name}`).terminate());
      await Promise.allSettled(ended);
      await api.close();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** A deploy as its run would write it, without the run. */
export async function writtenDeploy({ api, service }: ApiCli) {
  const deploys = createDeployStore(api.databases.ops);
  const [id, name] = [randomUUID(), await service()];
  const request = deployRequestSchema.parse({});
  const result = emptyResult(request, 'self_hosted');
  const input = { deploy_id: id, service: name, box: 'testbox', actor: 'tester', request };
  await deploys.open(input, { workflow_id: `deploy/${name}`, run_id: null }, result, parsedSpec());
  return {
    id,
    service: name,
    deploys,
    close: (end: Partial<DeployResult>) => deploys.update(id, 'closed', { ...result, ...end }),
    enter: (phase: 'build' | 'watch') => deploys.update(id, phase, result),
  };
}

/** Until the command has said this on stderr. */
export async function said(running: Running, text: string): Promise<void> {
  while (!running.said().includes(text)) {
    if (running.child.exitCode !== null) throw new Error(`it ended without saying ${text}: ${running.said()}`);
    await sleep(10);
  }
}
