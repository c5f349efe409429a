import getPort from 'get-port';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { identityOf, isAlive, type ProcessIdentity } from '../../adapters/process/identity.ts';
import { packageRoot } from '../../infra/package-root.ts';
import { writeAtomically } from '../../infra/write-atomically.ts';
import { createFolder, environmentFor } from '../support/own-home.ts';

const folder = createFolder();
const run = join(folder.path, 'run');
const tokenPath = join(folder.path, 'secrets/admin-token');
const everyPart = ['api', 'postgres', 'qdrant', 'temporal', 'worker'];
const ups: Up[] = [];
let env: NodeJS.ProcessEnv;
let foreign: ChildProcess;

interface Up {
  readonly child: ChildProcess;
  readonly ended: Promise<unknown[]>;
  readonly text: () => string;
}

beforeAll(async () => {
  env = environmentFor(folder.path, {
    HOLDFAST_API_PORT: String(await getPort()),
    HOLDFAST_POSTGRES_PORT: String(await getPort()),
    HOLDFAST_TEMPORAL_PORT: String(await getPort()),
    HOLDFAST_TEMPORAL_UI_PORT: String(await getPort()),
    HOLDFAST_QDRANT_PORT: String(await getPort()),
  });
  foreign = spawn('sleep', ['600'], { stdio: 'ignore' });
  // What a run before the last boot may have left: a record whose pid is another process by now.
  const reused = { part: 'temporal', stop_signal: 'SIGTERM', ...identityOf(foreign.pid ?? 0), start_time: 1 };
  await writeAtomically(join(run, 'process-temporal.json'), JSON.stringify(reused));
});

afterAll(async () => {
  for (const { child, ended } of ups) {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    await ended;
  }
  foreign.kill('SIGKILL');
  folder.remove();
}, 60_000);

/** `holdfast up`, until it said `expected`. */
async function up(expected: string): Promise<Up> {
  const child = spawn(process.execPath, [join(packageRoot, 'dist/cli/main.js'), 'up'], { env });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (more: string) => {
      text += more;
    });
  const started = { child, ended: once(child, 'close'), text: () => text };
  ups.push(started);
  const deadline = Date.now() + 50_000;
  while (!text.includes(expected)) {
    if (Date.now() > deadline || child.exitCode !== null) throw new Error(`'${expected}' was not said:\n${text}`);
    await sleep(10);
  }
  return started;
}

/** What the stack recorded as started, by part. */
function parts(): Record<string, ProcessIdentity> {
  const names = readdirSync(run).filter((name) => name.startsWith('process-'));
  const entries = names.map((name) => JSON.parse(readFileSync(join(run, name), 'utf8')) as ProcessIdentity);
  return Object.fromEntries(names.map((name, i) => [name.slice(8, -5), entries[i] as ProcessIdentity]));
}

async function askWithToken(): Promise<number> {
  const token = readFileSync(tokenPath, 'utf8').trim();
  const url = `http://127.0.0.1:${env['HOLDFAST_API_PORT'] ?? ''}/v1/services`;
  return (await fetch(url, { headers: { authorization: `Bearer ${token}` } })).status;
}

test('the first start says where everything is and shows the admin token, which its owner only can read', async () => {
  const { text } = await up('Ctrl-C stops it');
  expect(text()).toMatch(/Holdfast is ready after \d+\.\d s\./);
  expect(text()).toContain(`API          http://127.0.0.1:${env['HOLDFAST_API_PORT'] ?? ''} `);
  expect(text()).toContain(`Temporal UI  http://127.0.0.1:${env['HOLDFAST_TEMPORAL_UI_PORT'] ?? ''}`);
  expect(text().split(readFileSync(tokenPath, 'utf8').trim())).toHaveLength(2);
  expect(statSync(tokenPath).mode & 0o777).toBe(0o600);
  expect(await askWithToken()).toBe(200);
  expect(Object.keys(parts()).sort()).toEqual(everyPart);
}, 60_000);

test('a second start finds the first, says where it is, and ends well', async () => {
  const { ended, text } = await up('already running');
  expect(await ended).toEqual([0, null]);
  expect(text()).toContain(`API          http://127.0.0.1:${env['HOLDFAST_API_PORT'] ?? ''} `);
  expect(text()).not.toContain(readFileSync(tokenPath, 'utf8').trim());
  expect(Object.values(parts()).every(isAlive)).toBe(true);
});

test('what a killed supervisor left is stopped and replaced; data, ports and token stay', async () => {
  const [first] = ups;
  const left = parts();
  first?.child.kill('SIGKILL');
  await first?.ended;
  expect(Object.values(left).every(isAlive)).toBe(true);

  const { text } = await up('Ctrl-C stops it');
  expect(text()).toMatch(
    /stopped what an earlier run had left: (?=.*api)(?=.*worker)(?=.*qdrant)(?=.*temporal)(?=.*postgres)/,
  );
  expect(Object.values(left).filter(isAlive)).toEqual([]);
  expect(text()).not.toContain(readFileSync(tokenPath, 'utf8').trim());
  expect(text()).not.toContain(' is taken: ');
  expect(await askWithToken()).toBe(200);
}, 60_000);

test('Ctrl-C stops all that it started and nothing else, exit code 0', async () => {
  const running = ups.at(-1);
  const started = Object.values(parts());
  expect(started).toHaveLength(everyPart.length);
  running?.child.kill('SIGINT');
  expect(await running?.ended).toEqual([0, null]);
  expect(started.filter(isAlive)).toEqual([]);
  expect(parts()).toEqual({});
  expect(foreign.exitCode ?? foreign.signalCode).toBeNull();
}, 30_000);

test('Ctrl-C in the middle of a start leaves nothing running, exit code 130', async () => {
  const { child, ended, text } = await up('✓ Postgres');
  const started = Object.values(parts());
  expect(started).not.toEqual([]);
  child.kill('SIGINT');
  expect(await ended).toEqual([130, null]);
  expect(text()).toContain('interrupted; the same command goes on where this one was');
  expect(started.filter(isAlive)).toEqual([]);
  expect(parts()).toEqual({});
}, 30_000);
