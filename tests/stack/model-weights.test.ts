import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { prepareDownloads, type Downloads } from '../../infra/stack/download/downloads.ts';
import { downloadedModel, findModel } from '../../infra/stack/download/model-weights.ts';
import type { Model } from '../../infra/stack/download/upstream.ts';
import { createFolder } from '../support/own-home.ts';
import { startReleaseServer, sumOf, type ReleaseServer } from '../support/release-server.ts';

const folder = createFolder();
const revision = '0123456789012345678901234567890123456789';
const weights = randomBytes(500_000);
const tokenizer = Buffer.from('{"version":"1.0"}');
let server: ReleaseServer;
let cache: string;
let round = 0;

beforeEach(async () => {
  server = await startReleaseServer();
  cache = join(folder.path, `cache-${(round += 1)}`);
});
afterEach(() => server.close());
afterAll(() => folder.remove());

function downloads(enabled = true): Downloads {
  return prepareDownloads({ enabled, cache, say: () => undefined, signal: new AbortController().signal });
}

/** As the hub shows it: git's id of every file, and of what is in LFS that of its pointer, beside the file's SHA-256. */
function publish({ listedTokenizer = tokenizer, knownWeights = weights } = {}): Model {
  const listing = [
    { type: 'directory', oid: '0'.repeat(40), size: 0, path: 'onnx' },
    { type: 'file', oid: gitBlob(listedTokenizer), size: listedTokenizer.length, path: 'tokenizer.json' },
    {
      type: 'file',
      oid: '1'.repeat(40),
      size: weights.length,
      lfs: { oid: sumOf(weights), size: weights.length, pointerSize: 133 },
      path: 'onnx/model.onnx',
    },
  ];
  server.files.set('/tree', { body: Buffer.from(JSON.stringify(listing)) });
  server.files.set('/tokenizer.json', { body: tokenizer });
  server.files.set('/onnx/model.onnx', { body: weights, redirect: `${server.url}/lfs` });
  server.files.set('/lfs', { body: weights });
  const files = [
    { path: 'tokenizer.json', sha256: sumOf(tokenizer) },
    { path: 'onnx/model.onnx', sha256: sumOf(knownWeights) },
  ].map(({ path, sha256 }) => ({
    title: path,
    key: `model-${path.replaceAll('/', '-')}`,
    url: `${server.url}/${path}`,
    checksum: { kind: 'hub listing', url: `${server.url}/tree`, name: path } as const,
    ...{ path, sha256 },
  }));
  return { name: 'model', revision, files };
}

function gitBlob(body: Buffer): string {
  return createHash('sha1').update(`blob ${body.length}\0`).update(body).digest('hex');
}

test('a model’s files are downloaded, all or none, and found from then on', async () => {
  const model = publish();
  expect(await findModel(cache, model)).toBeNull();
  const found = await downloadedModel(model, downloads())();
  expect(found).toEqual({ path: join(cache, 'model-012345678901'), origin: `downloaded, revision ${revision}` });
  expect(readFileSync(join(found?.path ?? '', 'onnx/model.onnx')).equals(weights)).toBe(true);
  expect(await findModel(cache, model)).toEqual(found);
});

test('one file that is not what the hub lists, by git’s id of it, and there is no model', async () => {
  await expect(downloadedModel(publish({ listedTokenizer: Buffer.from('{}') }), downloads())()).rejects.toThrow(
    /^NOT USED: .*git-blob:/,
  );
  expect(readdirSync(cache)).toEqual(['downloads']);
});

test('one file that is not the one that Holdfast knows, whatever the hub lists, and there is no model', async () => {
  const model = publish({ knownWeights: Buffer.from('other weights') });
  await expect(downloadedModel(model, downloads())()).rejects.toThrow(/^NOT USED: .*Holdfast knows/);
  expect(await findModel(cache, model)).toBeNull();
});

test('a file that changed in the cache makes it another model, which is not used', async () => {
  const model = publish();
  const found = await downloadedModel(model, downloads())();
  writeFileSync(join(found?.path ?? '', 'tokenizer.json'), '{"version":"1.1"}');
  expect(await findModel(cache, model)).toBeNull();
  expect((await downloadedModel(model, downloads())())?.path).toBe(found?.path);
});

test('nobody is asked for anything when downloads are off', async () => {
  expect(await downloadedModel(publish(), downloads(false))()).toBeNull();
  expect(server.asked).toEqual([]);
});
