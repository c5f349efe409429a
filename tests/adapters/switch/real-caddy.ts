import getPort from 'get-port';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../support/box.ts';

export const withoutCaddy = (process.env['HOLDFAST_TEST_WITHOUT'] ?? '').split(',').includes('caddy');

/** A Caddy of this machine, installed if need be; fails where that cannot be. Its own unit is not started. */
export function requireCaddy(): void {
  if (spawnSync('caddy', ['version']).status === 0) return;
  const install = ['install', '-y', '--no-install-recommends', 'caddy'];
  // The package would start its service, on the standard ports.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  const { status, stderr, error } = spawnSync('apt-get', install, { encoding: 'utf8', env });
  if (status === 0 && spawnSync('caddy', ['version']).status === 0) return;
  const reason = error?.message ?? stderr.trim().split('\n').at(-1) ?? '';
  throw new Error(`No Caddy: install it, run this as root, or test with --without caddy (${reason})`);
}

export interface Caddy {
  readonly admin: string;
  /** Of the route that is not ours. */
  readonly foreignUrl: string;
  config(): Promise<{ apps?: { http: { servers: Record<string, unknown> } } } | null>;
  change(method: string, path: string, body?: unknown): Promise<void>;
  stop(): Promise<void>;
}

/** With a route of somebody else, or with no configuration at all. */
export async function startCaddy(kind: 'foreign' | 'empty'): Promise<Caddy> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-caddy-'));
  const port = await getPort();
  const foreignPort = await getPort();
  const admin = `http://127.0.0.1:${port}`;
  const route = { handle: [{ handler: 'static_response', body: 'somebody else’s' }] };
  const servers = { theirs: { listen: [`127.0.0.1:${foreignPort}`], routes: [route] } };
  const config = {
    admin: { listen: `127.0.0.1:${port}` },
    ...(kind === 'foreign' ? { apps: { http: { servers } } } : {}),
  };
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  const child: ChildProcess = spawn('caddy', ['run', '--config', join(folder, 'config.json')], {
    env: { PATH: process.env['PATH'], HOME: folder, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder },
    stdio: 'ignore',
  });
  const config_ = async () =>
    (await (await askAgain(`${admin}/config/`)).json()) as Awaited<ReturnType<Caddy['config']>>;
  await until(() => config_().then(Boolean, () => false));
  return {
    admin,
    foreignUrl: `http://127.0.0.1:${foreignPort}`,
    config: config_,
    async change(method, path, body) {
      const headers = { 'content-type': 'application/json' };
      const response = await askAgain(`${admin}${path}`, { method, headers, body: JSON.stringify(body) });
      if (!response.ok) throw new Error(await response.text());
    },
    async stop() {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What falls into a reload is cut off, before it was heard. */
async function askAgain(url: string, request: RequestInit = {}): Promise<Response> {
  for (let turn = 0; ; turn += 1) {
    try {
      return await fetch(url, request);
    } catch (error) {
      if (turn === 5) throw error;
      await sleep(100);
    }
  }
}
