import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLexicalOnly } from '../../../adapters/embeddings/embedder.ts';
import { openEmbeddings } from '../../../adapters/embeddings/open.ts';
import { createServedEmbedder } from '../../../adapters/embeddings/openai.ts';
import { createEmbeddingLook } from '../../../adapters/embeddings/state.ts';
import { packagedModel } from '../../../adapters/embeddings/local-models.ts';
import { embeddingKey, type EmbeddingIdentity, type EmbeddingSettings } from '../../../domain/embedding.ts';
import { realEmbedder, realModel, threadProgram } from '../../support/embedding-model.ts';
import { startEmbeddingServer } from '../../support/embedding-server.ts';

const prefix = { passage: '', query: '' };
const identity: EmbeddingIdentity = {
  ...{ model: 'minilm', sha256: null, dimensions: 384, pooling: 'served', max_tokens: null, prefix },
};

function open(settings: EmbeddingSettings) {
  return openEmbeddings(settings, { program: threadProgram(), boxLimit: null });
}

test('a model in its folder is opened under its identity, and is well', async () => {
  const { folder } = await realModel();
  const embeddings = open({ kind: 'local', folder, threads: 1 });
  const key = embeddingKey(packagedModel.identity);
  expect(embeddings.key).toBe(key);
  await expect(createEmbeddingLook(embeddings)()).resolves.toEqual({ state: 'ok', identity: key, reason: null });
  await embeddings.close();
}, 300_000);

test('no model, or a folder without one, is search by words only, and is said to be unavailable', async () => {
  const empty = mkdtempSync(join(tmpdir(), 'holdfast-model-'));
  for (const folder of [null, empty]) {
    const embeddings = open({ kind: 'local', folder, threads: 1 });
    expect(embeddings).toMatchObject({ identity: null, key: 'none', isAsked: false });
    await expect(createEmbeddingLook(embeddings)()).resolves.toEqual({
      ...{ state: 'unavailable', identity: 'none' },
      reason: 'there is no embedding model on this machine; holdfast doctor says why',
    });
  }
  rmSync(empty, { recursive: true });
});

test('search by words only that was asked for is none, not unavailable', async () => {
  const look = createEmbeddingLook(open({ kind: 'none' }));
  await expect(look()).resolves.toEqual({ state: 'none', identity: 'none', reason: 'HOLDFAST_EMBEDDINGS is none' });
  expect(createLexicalOnly('why').reason).toBe('why');
});

test('the identity of a served model is told by its name, dimensions and prefixes', () => {
  const settings = {
    kind: 'served',
    url: 'http://127.0.0.1:1/v1',
    key: null,
    model: 'minilm:l6',
    dimensions: 384,
  } as const;
  const keys = [prefix, { passage: 'p', query: 'q' }].map((each) => open({ ...settings, prefix: each }).key);
  expect(keys).toEqual([
    'minilm%3Al6:384:served:-:-',
    expect.stringMatching(/^minilm%3Al6:384:served:-:-:[0-9a-f]{8}$/),
  ]);
});

test('a server that answers is not asked at every look; one that is away is said to be, without its address', async () => {
  const model = await realEmbedder();
  const server = await startEmbeddingServer(model);
  const { url } = server;
  const look = createEmbeddingLook(createServedEmbedder({ url, key: null, identity }));
  const seen = await Promise.all([look(), look(), look()]);
  expect(seen.map(({ state }) => state)).toEqual(['ok', 'ok', 'ok']);
  await look();
  expect(server.asked).toHaveLength(1);
  await server.close();
  const away = createEmbeddingLook(createServedEmbedder({ url, key: null, identity, bounds: { attempts: 1 } }));
  const state = await away();
  expect(state).toMatchObject({ state: 'unavailable', identity: embeddingKey(identity) });
  expect(state.reason).not.toMatch(/127\.0\.0\.1/);
  await model.close();
});
