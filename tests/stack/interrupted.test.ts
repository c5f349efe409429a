import getPort from 'get-port';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { prepareHome, type Home } from '../../infra/stack/home.ts';
import { installedPrograms } from '../../infra/stack/postgres/programs.ts';
import { postgresPart, postgresUrl, readyPostgres } from '../../infra/stack/postgres/postgres.ts';
import { builtTemporal, onPath } from '../../infra/stack/prerequisites.js';
import { supervise } from '../../infra/stack/supervised.ts';
import { findTemporal } from '../../infra/stack/temporal/program.ts';
import { configFor, createFolder } from '../support/own-home.ts';

const folder = createFolder();
afterAll(() => folder.remove());

async function startOnce(home: Home): Promise<void> {
  const programs = await installedPrograms(home.path('pg', 'data'));
  const port = await getPort();
  const postgres = await supervise(home, await postgresPart(home, programs, port), () => undefined);
  try {
    const patience = { timeoutMs: 20_000, signal: new AbortController().signal };
    await readyPostgres(await postgresUrl(home, port), 'holdfast', patience);
  } finally {
    await postgres.stop();
  }
}

test('a database that was interrupted while it was made is made anew', async () => {
  const home = await prepareHome(configFor(join(folder.path, 'initdb')));
  mkdirSync(home.path('pg', 'data.partial', 'base'), { recursive: true });
  writeFileSync(home.path('pg', 'data.partial', 'PG_VERSION'), '15\n');
  writeFileSync(home.path('pg', 'password.partial'), 'half');
  await startOnce(home);
  expect(readdirSync(home.path('pg'))).toEqual(['data']);
}, 40_000);

test('a Postgres that left its pid file at a power cut starts, though the pid is another process by now', async () => {
  const home = await prepareHome(configFor(join(folder.path, 'initdb')));
  const data = home.path('pg', 'data');
  writeFileSync(join(data, 'postmaster.pid'), `${process.pid}\n${data}\n1700000000\n1\n\n127.0.0.1\n`, { mode: 0o600 });
  await startOnce(home);
  expect(existsSync(join(data, 'postmaster.pid'))).toBe(false);
}, 40_000);

describe('a Temporal in the cache is used only as it was when it was put there', () => {
  const cache = join(folder.path, 'cache');
  const program = join(cache, `temporal-${builtTemporal}`, 'temporal');
  const sum = createHash('sha256').update('whole').digest('hex');

  async function fromCache(): Promise<boolean> {
    return (await findTemporal(cache))?.path === program;
  }

  beforeAll(() => mkdirSync(join(program, '..'), { recursive: true }));

  test('half a file of a build that was interrupted is not', async () => {
    writeFileSync(`${program}.partial-1`, 'who');
    expect(await fromCache()).toBe(false);
    writeFileSync(`${program}.sha256`, sum);
    expect(await fromCache()).toBe(false);
  });

  test('a file without its checksum, or with another one, is not', async () => {
    writeFileSync(program, 'who', { mode: 0o755 });
    expect(await fromCache()).toBe(false);
  });

  test('a whole one is, unless there is one on PATH', async () => {
    writeFileSync(program, 'whole', { mode: 0o755 });
    expect(await fromCache()).toBe((await onPath('temporal')) === null);
  });
});
