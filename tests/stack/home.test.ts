import getPort from 'get-port';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { prepareHome, secret } from '../../infra/stack/home.ts';
import { installedPrograms } from '../../infra/stack/postgres/programs.ts';
import { postgresPart } from '../../infra/stack/postgres/postgres.ts';
import type { StackError } from '../../infra/stack/stack-error.ts';
import { asRoot, canMount, configFor, createFolder, createSmallDisk } from '../support/own-home.ts';

const folder = createFolder();
afterAll(() => folder.remove());

async function refusal(work: Promise<unknown>): Promise<StackError> {
  const error = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ name: 'StackError', message: expect.stringMatching(/^[^\n]+$/) as string });
  expect((error as StackError).advice).not.toBe('');
  return error as StackError;
}

function everything(root: string): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' }).sort();
}

/** Mounting needs rights that not every machine gives. */
const testWithMount = canMount ? test : test.skip;

describe('a data folder that cannot be used is refused in one line with advice', () => {
  test('one that is too long for Postgres is not made', async () => {
    const home = join(folder.path, ...Array.from({ length: 10 }, () => 'x'.repeat(100)));
    const { message, advice } = await refusal(prepareHome(configFor(home)));
    expect(message).toMatch(/too long for Postgres: 1\d{3} bytes, at most 864/);
    expect(advice).toContain('shorter');
    expect(everything(folder.path)).toEqual([]);
  });

  test('one of a newer version is left exactly as it was', async () => {
    const home = join(folder.path, 'newer');
    mkdirSync(home);
    writeFileSync(join(home, 'version.json'), '{"format":99,"box":"other"}');
    const before = statSync(home).mtimeMs;
    expect((await refusal(prepareHome(configFor(home)))).message).toMatch(/newer Holdfast \(format 99/);
    expect(everything(home)).toEqual(['version.json']);
    expect(statSync(home).mtimeMs).toBe(before);
    expect(readFileSync(join(home, 'version.json'), 'utf8')).toBe('{"format":99,"box":"other"}');
  });

  test('one that is a file is left as it is', async () => {
    const home = join(folder.path, 'file');
    writeFileSync(home, 'mine');
    await refusal(prepareHome(configFor(home)));
    expect(readFileSync(home, 'utf8')).toBe('mine');
  });

  test('one that may not be written to', async () => {
    const closed = join(folder.path, 'closed');
    mkdirSync(closed, { mode: 0o500 });
    // Root may write to any folder of a disk, but not there.
    const { message } = await refusal(prepareHome(configFor(asRoot ? '/sys/holdfast' : join(closed, 'home'))));
    expect(message).toContain('Not allowed to write while preparing HOLDFAST_HOME');
  });

  testWithMount('one on a read-only disk', async () => {
    const disk = createSmallDisk(join(folder.path, 'ro'), '2g');
    try {
      disk.change('ro');
      const { message, advice } = await refusal(prepareHome(configFor(join(folder.path, 'ro', 'home'))));
      expect(message).toContain('Not allowed to write while preparing HOLDFAST_HOME');
      expect(advice).toContain('HOLDFAST_HOME');
    } finally {
      disk.remove();
    }
  });

  testWithMount('one on a disk that is nearly full, before anything is started; with room it goes on', async () => {
    const disk = createSmallDisk(join(folder.path, 'small'), '100m');
    const home = join(folder.path, 'small', 'home');
    try {
      expect((await refusal(prepareHome(configFor(home)))).message).toMatch(
        /nearly full: \d+ MB .* 1024 MB are needed/,
      );
      expect(existsSync(join(home, 'version.json'))).toBe(false);
      disk.change('size=2g');
      await prepareHome(configFor(home));
      expect(existsSync(join(home, 'version.json'))).toBe(true);
    } finally {
      disk.remove();
    }
  });

  testWithMount('a disk that runs full while the database is made; with room it goes on', async () => {
    const disk = createSmallDisk(join(folder.path, 'filling'), '2g');
    try {
      const home = await prepareHome(configFor(join(folder.path, 'filling', 'home')));
      const programs = await installedPrograms(home.path('pg', 'data'));
      const password = await secret(home, 'postgres-password');
      disk.change('size=8m');
      const { message } = await refusal(postgresPart(home, programs, await getPort()));
      expect(message).toContain('The disk is full while making the database');
      expect(existsSync(home.path('pg', 'data'))).toBe(false);
      disk.change('size=2g');
      await postgresPart(home, programs, await getPort());
      expect(existsSync(home.path('pg', 'data', 'PG_VERSION'))).toBe(true);
      expect(await secret(home, 'postgres-password')).toBe(password);
    } finally {
      disk.remove();
    }
  });
});

test('secrets are readable by their owner only', async () => {
  const home = await prepareHome(configFor(join(folder.path, 'secret')));
  await secret(home, 'postgres-password');
  expect(statSync(join(home.secrets, 'postgres-password')).mode & 0o777).toBe(0o600);
  expect(statSync(home.secrets).mode & 0o777).toBe(0o700);
});
