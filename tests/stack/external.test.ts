import getPort from 'get-port';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { healthSchema } from '../../domain/health.ts';
import { loadConfig } from '../../infra/config.ts';
import { startExternal } from '../../infra/stack/external.ts';
import type { StackError } from '../../infra/stack/stack-error.ts';
import { compileTree } from '../support/compile.ts';
import { configFor, createFolder, environmentFor, listeningReport } from '../support/own-home.ts';
import { freshDatabases, servers, type TestDatabases } from '../support/servers.ts';

const folder = createFolder();
const home = join(folder.path, 'home');
// Of its own: the worker of another test would take its work.
const namespace = `t-${randomBytes(4).toString('hex')}`;
const ups: Up[] = [];
let databases: TestDatabases;
let given: Record<string, string>;
let port: number;

interface Up {
  readonly child: ChildProcess;
  readonly ended: Promise<unknown[]>;
  readonly said: () => string;
  readonly logged: () => string;
}

beforeAll(async () => {
  databases = await freshDatabases();
  port = await getPort();
  const { databaseUrl, temporalAddress, qdrant } = servers();
  const keyFile = join(folder.path, 'qdrant-key');
  writeFileSync(keyFile, `${qdrant.apiKey ?? ''}\n`);
  given = {
    DATABASE_URL: databaseUrl,
    HOLDFAST_DATABASE: databases.database,
    TEMPORAL_ADDRESS: temporalAddress,
    TEMPORAL_NAMESPACE: namespace,
    QDRANT_URL: qdrant.url,
    QDRANT_API_KEY_FILE: keyFile,
    HOLDFAST_API_PORT: String(port),
    HOLDFAST_BOX: 'test',
  };
});

afterAll(async () => {
  for (const { child, ended } of ups) {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    await ended;
  }
  await databases.drop();
  folder.remove();
}, 60_000);

/** `holdfast up --external <args>`, until it says what is expected. */
async function up(expected: string, args: readonly string[] = [], more: Record<string, string> = {}): Promise<Up> {
  const command = [compileTree().program('cli/main.js'), 'up', '--external', ...args];
  const child = spawn(process.execPath, command, { env: environmentFor(home, { ...given, ...more }) });
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => (texts[name] += text));
  const started = { child, ended: once(child, 'close'), said: () => texts.stderr, logged: () => texts.stdout };
  ups.push(started);
  const deadline = Date.now() + 80_000;
  while (!texts.stderr.includes(expected)) {
    if (Date.now() > deadline || child.exitCode !== null)
      throw new Error(`'${expected}' was not said:\n${texts.stderr}${texts.stdout}`);
    await sleep(20);
  }
  return started;
}

async function stateOf(server: 'worker' | 'qdrant'): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}/health`);
  return healthSchema.parse(await response.json()).servers[server].state;
}

/** What is started here, by the records of processes. */
function started(run = 'run'): string[] {
  const names = existsSync(join(home, run)) ? readdirSync(join(home, run)) : [];
  return names.flatMap((name) => /^process-(.+)\.json$/.exec(name)?.[1] ?? []).sort();
}

function run(args: readonly string[], env: Record<string, string>): { status: number | null; stderr: string } {
  const command = [compileTree().program('cli/main.js'), 'up', ...args];
  return spawnSync(process.execPath, command, { env: environmentFor(join(folder.path, 'new'), env), encoding: 'utf8' });
}

describe('what cannot be is refused before anything is made', () => {
  test('all addresses that are missing are named at once, exit code 2', () => {
    const { status, stderr } = run(['--external'], { DATABASE_URL: '' });
    expect(status).toBe(2);
    expect(stderr).toContain('set TEMPORAL_ADDRESS, DATABASE_URL, QDRANT_URL\n');
    expect(existsSync(join(folder.path, 'new'))).toBe(false);
  });

  test.each(['TEMPORAL_ADDRESS', 'DATABASE_URL', 'QDRANT_URL'])('%s alone is missing', (name) => {
    const { status, stderr } = run(['--external'], { ...given, [name]: '' });
    expect(status).toBe(2);
    expect(stderr).toMatch(new RegExp(`: set ${name}\n`));
  });

  test.each([[['--only', 'api']], [['--external', '--only', 'qdrant']]])('%j is exit code 2', (args) => {
    expect(run(args, given).status).toBe(2);
  });

  test('a secret that is given twice, or as a file that is not there', () => {
    expect(() => loadConfig({ QDRANT_API_KEY: 'a', QDRANT_API_KEY_FILE: '/b' })).toThrow(
      'Both QDRANT_API_KEY and QDRANT_API_KEY_FILE are set',
    );
    expect(() => loadConfig({ DATABASE_URL_FILE: '/no/such/file' })).toThrow(
      'DATABASE_URL_FILE: /no/such/file cannot be read (ENOENT)',
    );
  });
});

describe('a server that does not answer ends it, and nothing is started', () => {
  const dead = { TEMPORAL_ADDRESS: '127.0.0.1:1', DATABASE_URL: 'postgres://u:hunter2@127.0.0.1:1/x' };
  const names = { TEMPORAL_ADDRESS: 'Temporal', DATABASE_URL: 'Postgres', QDRANT_URL: 'Qdrant' } as const;
  const all = { ...dead, QDRANT_URL: 'http://127.0.0.1:1' };

  async function refusal(env: Record<string, string>): Promise<StackError> {
    const { signal } = new AbortController();
    const config = configFor(home, { ...given, ...env });
    const attempt = startExternal(config, listeningReport().report, { only: null, patienceMs: 300, signal });
    const error = await attempt.then(
      () => null,
      (reason: unknown) => reason as StackError,
    );
    expect(error).toMatchObject({ name: 'StackError', message: expect.stringMatching(/^[^\n]+$/) as string });
    expect(JSON.stringify([error?.message, error?.advice])).not.toContain('hunter2');
    expect(started()).toEqual([]);
    return error as StackError;
  }

  test.each(['TEMPORAL_ADDRESS', 'DATABASE_URL', 'QDRANT_URL'] as const)('%s', async (name) => {
    const { message, advice } = await refusal({ [name]: all[name] });
    expect(message).toContain(`${names[name]} at 127.0.0.1:1 `);
    expect(message).not.toContain('; ');
    expect(advice).toContain(name);
  });

  test('all of them are named at once', async () => {
    const { message } = await refusal(all);
    for (const name of Object.values(names)) expect(message).toContain(`${name} at 127.0.0.1:1 `);
  });

  test('a port of the API that is taken is not replaced: somebody else was told where it is', async () => {
    const { port: taken } = new URL(servers().databaseUrl);
    const { message } = await refusal({ HOLDFAST_API_PORT: taken });
    expect(message).toBe(`The API cannot listen on 127.0.0.1 port ${taken}: the port is taken`);
  });
});

describe('the worker and the API over servers of somebody else', () => {
  test('both start and no server does; their logs are its own output; the token is there before the API listens', async () => {
    const { child, ended, said, logged } = await up('Ctrl-C stops it', [], { HOLDFAST_API_HOST: '0.0.0.0' });
    expect(started()).toEqual(['api', 'worker']);
    expect([await stateOf('worker'), await stateOf('qdrant')]).toEqual(['ok', 'ok']);
    expect(said()).toMatch(/token file {3}\S+admin-token/);
    expect(said()).not.toContain('hf_');
    expect(logged()).toContain('"msg":"listening"');
    expect(readdirSync(join(home, 'logs'))).toEqual([]);
    expect(existsSync(join(home, 'pg'))).toBe(false);
    child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
    expect(started()).toEqual([]);
  }, 120_000);

  test('a second one over the same data folder is exit code 1, so that whoever keeps it knows', async () => {
    const first = await up('Ctrl-C stops it');
    const second = await up('already running');
    expect(await second.ended).toEqual([1, null]);
    first.child.kill('SIGTERM');
    expect(await first.ended).toEqual([0, null]);
  }, 120_000);

  test('each alone, as containers have them, side by side over one data folder', async () => {
    const api = await up('Ctrl-C stops it', ['--only', 'api']);
    const worker = await up('Ctrl-C stops it', ['--only', 'worker']);
    expect([started('run/api'), started('run/worker')]).toEqual([['api'], ['worker']]);
    expect(await stateOf('worker')).toBe('ok');
    const { api_url } = JSON.parse(readFileSync(join(home, 'run/stack.json'), 'utf8')) as { api_url: string };
    expect(api_url).toBe(`http://127.0.0.1:${port}`);
    worker.child.kill('SIGTERM');
    expect(await worker.ended).toEqual([0, null]);
    expect(existsSync(join(home, 'run/stack.json'))).toBe(true);
    api.child.kill('SIGTERM');
    expect(await api.ended).toEqual([0, null]);
    expect(existsSync(join(home, 'run/stack.json'))).toBe(false);
  }, 180_000);

  test('a worker that is killed is started again', async () => {
    const { child, ended, said } = await up('Ctrl-C stops it', ['--only', 'worker']);
    const record = join(home, 'run/worker/process-worker.json');
    const pid = (): number => (JSON.parse(readFileSync(record, 'utf8')) as { pid: number }).pid;
    const before = pid();
    process.kill(before, 'SIGKILL');
    while (pid() === before) await sleep(20);
    expect(said()).toContain('worker ended (SIGKILL); it is started again in 0.2 s.\n');
    child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
  }, 120_000);
});

describe('how Temporal is spoken to', () => {
  const access = (env: Record<string, string>): object => {
    const { tls, apiKey } = loadConfig(env).temporal;
    return { tls, apiKey };
  };
  const system = { certPath: null, keyPath: null, caPath: null, serverName: null };
  const cert = { TEMPORAL_TLS_CLIENT_CERT_PATH: '/c.pem', TEMPORAL_TLS_CLIENT_KEY_PATH: '/k.pem' };

  test.each<[string, Record<string, string>, object]>([
    ['plain where nothing is said', {}, { tls: null, apiKey: null }],
    ['TLS with the certificates of the system', { TEMPORAL_TLS: 'true' }, { tls: system, apiKey: null }],
    ['a key asks for TLS', { TEMPORAL_API_KEY: 'k' }, { tls: system, apiKey: 'k' }],
    ['unless it is turned off', { TEMPORAL_API_KEY: 'k', TEMPORAL_TLS: 'false' }, { tls: null, apiKey: 'k' }],
    ['a certificate does too', cert, { tls: { ...system, certPath: '/c.pem', keyPath: '/k.pem' }, apiKey: null }],
  ])('%s', (_, env, expected) => {
    expect(access(env)).toEqual(expected);
  });

  test('half a certificate is refused', () => {
    expect(() => loadConfig({ TEMPORAL_TLS_CLIENT_CERT_PATH: '/c.pem' })).toThrow('are needed together');
  });
});
