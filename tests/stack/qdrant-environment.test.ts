import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { prepareDownloads } from '../../infra/stack/download/downloads.ts';
import { prepareHome } from '../../infra/stack/home.ts';
import { embeddedQdrant, findEmbeddedQdrant } from '../../infra/stack/qdrant/embedded.ts';
import { qdrantSetup } from '../../infra/stack/qdrant/qdrant.ts';
import { findQdrantPart, type QdrantPart } from '../../infra/stack/qdrant/ways.ts';
import { compileTree } from '../support/compile.ts';
import { fullSize } from '../support/proof-size.ts';
import { canMount, configFor, createFolder, createSmallDisk, environmentFor } from '../support/own-home.ts';

const folder = createFolder();
const cache = join(folder.path, 'cache');
const { signal } = new AbortController();
const making = { cache, say: () => undefined, signal };
const testWithMount = canMount ? test : test.skip;
afterAll(() => folder.remove());

/** `await embeddedQdrant()` in a process of its own, which prints what came of it. */
function makingIn(folderOfCache: string): string {
  const { program } = compileTree();
  const from = (path: string): string => JSON.stringify(pathToFileURL(program(path)).href);
  return `import { embeddedQdrant } from ${from('infra/stack/qdrant/embedded.js')};
    const { signal } = new AbortController();
    const making = { cache: ${JSON.stringify(folderOfCache)}, say: () => undefined, signal };
    await embeddedQdrant(making).then(
      ({ argv }) => console.log(argv[0]),
      (error) => console.log(error.name + ': ' + error.message + ' ' + (error.advice ?? '')),
    );`;
}

async function killInTheMiddleOfPip(): Promise<string> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', makingIn(cache)], {
    env: environmentFor(folder.path),
    stdio: 'ignore',
  });
  const exit = once(child, 'exit');
  const half = (): string | undefined => {
    const partial = existsSync(cache) ? readdirSync(cache).find((name) => name.includes('.partial')) : undefined;
    const libraries = join(cache, partial ?? 'none', 'lib');
    const [python = 'none'] = existsSync(libraries) ? readdirSync(libraries) : [];
    const packages = join(libraries, python, 'site-packages');
    // Those that pip puts there first, in the order of their names.
    const begun = existsSync(packages) && readdirSync(packages).some((name) => /^(anyio|click|h11)$/.test(name));
    return begun ? partial : undefined;
  };
  while (half() === undefined) await sleep(5);
  child.kill('SIGKILL');
  await exit;
  return half() ?? '';
}

test('an environment that was killed in the middle is made anew; of two that make it at once one counts', async () => {
  const left = await killInTheMiddleOfPip();
  expect(left).toMatch(/^qdrant-embedded-.*\.partial/);
  expect(await findEmbeddedQdrant(cache)).toBeNull();

  // In CI by one: each of them has all packages unpacked.
  const [one, other] = await Promise.all([embeddedQdrant(making), fullSize ? embeddedQdrant(making) : null]);
  if (fullSize) expect(one).toEqual(other);
  expect(readdirSync(cache).filter((name) => !name.includes('.partial'))).toHaveLength(1);
  expect(await findEmbeddedQdrant(cache)).toEqual(one);
  const { argv, env } = one;
  const version = ['-c', 'import embedded_qdrant.app, sys; print(sys.prefix)'];
  const { stdout } = spawnSync(argv[0], version, { env: { ...env }, encoding: 'utf8' });
  expect(stdout.trim()).toBe(join(argv[0], '../..'));
}, 300_000);

test('an environment whose Python has gone is not taken for one', async () => {
  const [name = ''] = readdirSync(cache).filter((each) => !each.includes('.partial'));
  const python = join(cache, name, 'bin', 'python');
  rmSync(python);
  symlinkSync('/no/such/python', python);
  expect(await findEmbeddedQdrant(cache)).toBeNull();
});

test('without a network that is said, in one line, and nothing is left in the way', () => {
  const apart = join(folder.path, 'apart');
  const offline = { PIP_INDEX_URL: 'http://127.0.0.1:1/simple', PIP_FIND_LINKS: '', PIP_RETRIES: '1' };
  const env = { ...environmentFor(folder.path), ...offline, PIP_CACHE_DIR: join(folder.path, 'no-cache') };
  const script = ['--input-type=module', '-e', makingIn(apart)];
  const { stdout } = spawnSync(process.execPath, script, { env, encoding: 'utf8' });
  expect(stdout).toBe('WayClosed: the packages of the embedded Qdrant cannot be fetched: there is no network \n');
  expect(readdirSync(apart)).toEqual([]);
}, 120_000);

testWithMount(
  'a disk that runs full is said as that, with what to do',
  () => {
    const small = join(folder.path, 'small');
    const disk = createSmallDisk(small, '24m');
    try {
      const script = ['--input-type=module', '-e', makingIn(join(small, 'cache'))];
      const { stdout } = spawnSync(process.execPath, script, { env: environmentFor(folder.path), encoding: 'utf8' });
      expect(stdout).toMatch(/^StackError: The disk is full while making the environment .*Make room/);
      expect(readdirSync(join(small, 'cache'))).toEqual([]);
    } finally {
      disk.remove();
    }
  },
  120_000,
);

describe('whichever Qdrant made the data keeps it', () => {
  const none = join(folder.path, 'none');
  const usualPath = process.env['PATH'];
  mkdirSync(none);
  afterEach(() => {
    process.env['PATH'] = usualPath;
  });

  async function found(name: string, made: string | null): Promise<QdrantPart> {
    const config = configFor(join(folder.path, name), { DOCKER_HOST: 'unix:///none' });
    const home = await prepareHome(config);
    if (made !== null) writeFileSync(home.path('qdrant', 'made-by'), `${made}\n`);
    const downloads = prepareDownloads({ enabled: false, cache: config.cache, say: () => undefined, signal });
    return findQdrantPart({ setup: await qdrantSetup(home, 1), dockerHost: config.dockerHost, downloads });
  }

  function withQdrantOnPath(): string {
    const path = join(folder.path, 'bin');
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, 'qdrant'), '#!/bin/sh\necho qdrant 1.18.0\n', { mode: 0o755 });
    process.env['PATH'] = `${path}:${usualPath ?? ''}`;
    return join(path, 'qdrant');
  }

  test('a new data folder gets the program on PATH, and stays with it', async () => {
    const qdrant = withQdrantOnPath();
    expect((await found('new', null)).part.argv).toEqual([qdrant]);
    process.env['PATH'] = usualPath;
    await expect(found('new', null)).rejects.toMatchObject({
      name: 'StackError',
      message: expect.stringMatching(/^No Qdrant can be had for data that a Qdrant server made: [^\n]+$/) as string,
      advice: expect.stringContaining('QDRANT_URL') as string,
    });
  });

  test('data of the embedded one stays with it, also when a program is installed later', async () => {
    withQdrantOnPath();
    const { part, origin } = await found('embedded', 'embedded');
    expect(part.argv.slice(1)).toEqual(['-s', '-m', 'embedded_qdrant']);
    expect(origin).toMatch(/^embedded, on Python 3\.\d+$/);
  }, 120_000);
});
