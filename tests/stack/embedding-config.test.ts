import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { ConfigError, loadConfig } from '../../infra/config.ts';
import { diagnose } from '../../infra/stack/doctor.ts';
import { prepareDownloads } from '../../infra/stack/download/downloads.ts';
import { prepareModel } from '../../infra/stack/model/prepare.ts';
import { realModel } from '../support/embedding-model.ts';
import { configFor, createFolder, listeningReport } from '../support/own-home.ts';

const folder = createFolder();
const home = join(folder.path, 'home');
const served = {
  HOLDFAST_EMBEDDINGS: 'https://models.example/v1',
  HOLDFAST_EMBEDDINGS_MODEL: 'a-model',
  HOLDFAST_EMBEDDINGS_DIMENSIONS: '768',
};
beforeAll(async () => {
  mkdirSync(home);
  await realModel();
}, 300_000);
afterAll(() => folder.remove());

test('a model on this machine is the default, and one processor is left to everything else', () => {
  const atOnce = Math.max(1, availableParallelism() - 1);
  expect(loadConfig({}).embeddings).toEqual({ kind: 'local', folder: null, threads: 1, atOnce });
  expect(loadConfig({ HOLDFAST_EMBEDDINGS: 'none' }).embeddings).toMatchObject({ kind: 'none' });
  expect(loadConfig({ HOLDFAST_EMBEDDINGS_AT_ONCE: '7' }).embeddings).toMatchObject({ atOnce: 7 });
});

test('a server is told by its URL, its model and its dimensions; its key may be in a file', () => {
  const path = join(folder.path, 'key');
  writeFileSync(path, 'the key\n');
  const { embeddings } = loadConfig({
    ...served,
    HOLDFAST_EMBEDDINGS_KEY_FILE: path,
    HOLDFAST_EMBEDDINGS_QUERY_PREFIX: 'q: ',
  });
  expect(embeddings).toMatchObject({
    ...{ kind: 'served', url: 'https://models.example/v1', model: 'a-model', dimensions: 768, key: 'the key' },
    prefix: { passage: '', query: 'q: ' },
  });
});

test.each([
  [{ HOLDFAST_EMBEDDINGS: 'hash' }, /HOLDFAST_EMBEDDINGS: local, none, or the URL of an API/],
  [{ ...served, HOLDFAST_EMBEDDINGS_MODEL: '' }, /HOLDFAST_EMBEDDINGS_MODEL and HOLDFAST_EMBEDDINGS_DIMENSIONS/],
  [{ ...served, HOLDFAST_EMBEDDINGS_DIMENSIONS: '' }, /HOLDFAST_EMBEDDINGS_MODEL and HOLDFAST_EMBEDDINGS_DIMENSIONS/],
  [{ ...served, HOLDFAST_EMBEDDINGS_DIMENSIONS: '0' }, /HOLDFAST_EMBEDDINGS_DIMENSIONS/],
  [{ ...served, HOLDFAST_EMBEDDINGS: 'https://user:word@models.example/v1' }, /no user or password/],
])('%j is refused', (env, message) => {
  expect(() => loadConfig(env as Record<string, string>)).toThrow(ConfigError);
  expect(() => loadConfig(env as Record<string, string>)).toThrow(message);
});

async function prepared(env: Record<string, string>) {
  const config = configFor(home, env);
  const { report, lines } = listeningReport();
  const { signal } = new AbortController();
  const downloads = prepareDownloads({ enabled: false, cache: config.cache, say: () => undefined, signal });
  return { path: await prepareModel(config, home, downloads, report), line: lines.join('\n') };
}

test('a start says which model there is, or that there is none', async () => {
  const local = await prepared({ HOLDFAST_EMBEDDINGS: 'local' });
  expect(local.path).toBe((await realModel()).folder);
  expect(local.line).toMatch(/✓ embeddings: all-MiniLM-L6-v2-int8, from Python packages/);
  expect((await prepared({ HOLDFAST_EMBEDDINGS: 'none' })).line).toMatch(/embeddings: none, search by words only/);
  expect((await prepared(served)).line).toMatch(/embeddings: a-model at models\.example/);
});

test('the doctor says the same, and never that search is broken for want of a model', async () => {
  const checks = async (env: Record<string, string>) =>
    (await diagnose(configFor(home, env))).filter(({ id }) => id === 'embeddings');
  await expect(checks({ HOLDFAST_EMBEDDINGS: 'local' })).resolves.toMatchObject([
    { state: 'ok', found: expect.stringMatching(/^all-MiniLM-L6-v2-int8, from Python packages; not asked/) as unknown },
  ]);
  await expect(checks({ HOLDFAST_EMBEDDINGS: 'local', HOLDFAST_CACHE: join(home, 'none') })).resolves.toMatchObject([
    { state: 'warn', found: 'no model yet: search by words only' },
  ]);
  await expect(checks({ HOLDFAST_EMBEDDINGS: 'none' })).resolves.toMatchObject([{ state: 'ok', advice: null }]);
  await expect(checks(served)).resolves.toMatchObject([{ state: 'ok' }]);
});
