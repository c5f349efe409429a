import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createProcessDriver, type ProcessDriver, type StartRequest } from '../../adapters/process/driver.ts';
import { findLabelled } from '../../adapters/process/identity.ts';
import type { Instance } from '../../domain/deploy/instance.ts';
import { serviceSpecSchema, type ServiceSpec, type ServiceSpecInput } from '../../domain/service.ts';
import { packageRoot } from '../../infra/package-root.ts';

/** A services folder of its own, with a process driver on it. Programs are node scripts written into it. */
export interface Box {
  readonly root: string;
  readonly processes: ProcessDriver;
  /** Another driver on the same folder, as a restarted worker has it. */
  driver(log?: { segment_bytes: number; segments: number }): ProcessDriver;
  instance(): string;
  request(instance: string, script: string, more?: Partial<StartRequest>): StartRequest;
  folder(instance: string): string;
  keeperPid(instance: string): number;
  log(instance: string): string;
  pids(instance: string): number[];
  close(): Promise<void>;
}

export const service = 'web';
export const keeperPath = join(packageRoot, 'dist/adapters/process/keeper.js');

export function makeBox(): Box {
  const root = mkdtempSync(join(tmpdir(), 'holdfast-box-'));
  const used: string[] = [];
  const driver: Box['driver'] = (log) =>
    createProcessDriver({ root, keeperPath, env: process.env, ...(log === undefined ? {} : { log }) });
  const processes = driver();
  const folder = (instance: string) => join(root, service, 'instances', instance);
  const pids = (instance: string) =>
    findLabelled({ HOLDFAST_SERVICE: service, HOLDFAST_INSTANCE: instance }).map(({ pid }) => pid);
  return {
    root,
    processes,
    driver,
    instance() {
      const name = `${randomUUID()}.candidate`;
      used.push(name);
      return name;
    },
    request(instance, script, more = {}) {
      mkdirSync(join(root, 'programs'), { recursive: true });
      const path = join(root, 'programs', `${instance}.js`);
      writeFileSync(path, script);
      const release_id = 'a'.repeat(40);
      return { service, release_id, instance, argv: [process.execPath, path], cwd: root, env: {}, ...more };
    },
    folder,
    keeperPid(instance) {
      const claims = readdirSync(folder(instance)).filter((name) => /^keeper(\.\d+)?\.json$/.test(name));
      const number = Math.max(...claims.map((name) => Number(/\d+/.exec(name)?.[0] ?? 0)));
      const path = join(folder(instance), number === 0 ? 'keeper.json' : `keeper.${number}.json`);
      return (JSON.parse(readFileSync(path, 'utf8')) as { pid: number }).pid;
    },
    log(instance) {
      const numbers = readdirSync(folder(instance)).map((name) => Number(/^log\.(\d+)$/.exec(name)?.[1] ?? 0));
      const names = numbers.filter((number) => number > 0).sort((a, b) => a - b);
      return names.map((number) => readFileSync(join(folder(instance), `log.${number}`), 'utf8')).join('');
    },
    pids,
    async close() {
      for (const name of used) await processes.stop(service, name, { timeout_ms: 0 });
      await until(() => used.every((name) => findLabelled({ HOLDFAST_KEEPER: folder(name) }).length === 0));
      rmSync(root, { recursive: true, force: true });
    },
  };
}

export function specOf(input: ServiceSpecInput): ServiceSpec {
  return { ...serviceSpecSchema.parse(input), box: 'here' };
}

/** A start as a deploy writes it down. */
export function instanceOf(spec: ServiceSpec, more: Partial<Instance> = {}): Instance {
  const deploy_id = randomUUID();
  const release_id = more.release_id ?? 'a'.repeat(40);
  return {
    ...{ instance: `${deploy_id}.candidate`, service, release_id, deploy_id, run_id: randomUUID(), role: 'candidate' },
    ...{ spec, config_hash: '', digest: '', port: null },
    provenance: { build_sha: release_id, build_time: null, build_branch: null },
    ...more,
  };
}

/** Waits until something is true; fails after `timeoutMs`. */
export async function until(holds: () => boolean | Promise<boolean>, timeoutMs = 30_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`Not so after ${timeoutMs} ms: ${holds.toString()}`);
    await sleep(25);
  }
}
