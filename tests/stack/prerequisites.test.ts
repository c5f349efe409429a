import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadConfig } from '../../infra/config.ts';
import { packageRoot } from '../../infra/package-root.ts';
import {
  findGo,
  findPython,
  installedPostgres,
  missingPrerequisites,
  onPath,
} from '../../infra/stack/prerequisites.js';
import { createFolder } from '../support/own-home.ts';

const folder = createFolder();
const empty = join(folder.path, 'empty');
const cache = join(folder.path, 'cache');
/** Neither downloads nor a Docker that could do instead. */
const nothingElse = { HOLDFAST_DOWNLOADS: 'off', DOCKER_HOST: 'unix:///none' };
mkdirSync(empty);
afterAll(() => folder.remove());

/** Usual places are looked at as well as PATH, so what is expected depends on what this machine has in them. */
async function expected(): Promise<string[]> {
  return [
    'npm',
    'git',
    ...((await findGo(empty)) === null ? ['Go 1.25'] : []),
    ...((await installedPostgres(empty)).length === 0 ? ['PostgreSQL 14'] : []),
    ...((await findPython(empty))?.hasVenv === true ? [] : ['Python 3.10']),
  ];
}

test('all that is missing is named at once, each with a way out', async () => {
  const missing = await missingPrerequisites({ PATH: empty, ...nothingElse }, cache);
  const wanted = await expected();
  expect(missing).toHaveLength(wanted.length);
  wanted.forEach((name, i) => expect(missing[i]?.what).toContain(name));
  for (const { advice } of missing) expect(advice).toMatch(/Install/);
});

test('a server that the environment names is not missed', async () => {
  const env = { PATH: empty, ...nothingElse, DATABASE_URL_FILE: '/x', TEMPORAL_ADDRESS: 'x:1', QDRANT_URL: 'http://x' };
  const missing = await missingPrerequisites(env, cache);
  expect(missing.map(({ what }) => what)).toEqual(['npm', 'git']);
});

test('on this machine nothing is missing', async () => {
  expect(await missingPrerequisites(process.env, loadConfig().cache)).toEqual([]);
});

test('a Go that is too old is not taken for one', async () => {
  const old = join(folder.path, 'old');
  mkdirSync(old);
  writeFileSync(join(old, 'go'), '#!/bin/sh\necho go version go1.19.3 linux/amd64\n', { mode: 0o755 });
  expect(await onPath('go', old)).toBe(join(old, 'go'));
  expect(await findGo(old)).toBe(await findGo(empty));
});

test.each(['3.9', '3.30'])('a Python %s, which no package is made for, is not taken for one', async (version) => {
  const folderOfIt = join(folder.path, `python${version}`);
  mkdirSync(folderOfIt);
  writeFileSync(join(folderOfIt, 'python3'), `#!/bin/sh\necho Python ${version} venv /x\n`, { mode: 0o755 });
  expect(await findPython(folderOfIt)).toEqual(await findPython(empty));
});

test('a Python without venv is passed over for one that has it, and is better than none', async () => {
  const without = join(folder.path, 'without');
  mkdirSync(without);
  writeFileSync(join(without, 'python3'), '#!/bin/sh\necho Python 3.12 none /opt/python\n', { mode: 0o755 });
  const usual = await findPython(empty);
  const lone = { path: '/opt/python', version: '3.12', hasVenv: false };
  expect(await findPython(without)).toEqual(usual?.hasVenv === true ? usual : lone);
});

test('the set-up ends with the whole list and exit code 1, and makes nothing', async () => {
  const home = join(folder.path, 'home');
  const { status, stderr } = spawnSync(process.execPath, [join(packageRoot, 'infra/setup.js'), 'demo'], {
    env: { PATH: empty, HOLDFAST_HOME: home, ...nothingElse },
    encoding: 'utf8',
  });
  expect(status).toBe(1);
  expect(stderr).toMatch(/^holdfast: Missing:\n {2}- npm\n/);
  for (const name of await expected()) expect(stderr).toContain(`  - ${name}`);
  expect(stderr).toContain('next: Then run the same command again.');
  expect(stderr).not.toContain('    at ');
  expect(readdirSync(folder.path)).not.toContain('home');
});
