import { cosine, type EmbeddingIdentity } from '../../../domain/embedding.ts';
import type { Embedder } from '../../../adapters/embeddings/embedder.ts';
import { createServedEmbedder, type ServedBounds } from '../../../adapters/embeddings/openai.ts';
import { realEmbedder } from '../../support/embedding-model.ts';
import { respond, startEmbeddingServer, type EmbeddingServer, type Fate } from '../../support/embedding-server.ts';

const never = new AbortController().signal;
const identity: EmbeddingIdentity = {
  ...{ model: 'minilm', sha256: null, dimensions: 384, pooling: 'served', max_tokens: null },
  prefix: { passage: '', query: '' },
};
let model: Embedder;
let server: EmbeddingServer;

beforeAll(async () => {
  model = await realEmbedder();
}, 300_000);
afterAll(() => model.close());
beforeEach(async () => {
  server = await startEmbeddingServer(model);
});
afterEach(() => server.close());

function served(bounds: Partial<ServedBounds> = {}, more: Partial<EmbeddingIdentity> = {}, key: string | null = null) {
  const quick = { pauseMs: 1, ...bounds };
  return createServedEmbedder({ url: server.url, key, identity: { ...identity, ...more }, bounds: quick });
}

const status =
  (code: number, headers: Record<string, string> = {}): Fate =>
  (response) =>
    respond(response, code, { error: { message: 'the text was: secret words' } }, headers);

test('it gives the vectors that the model of the server gives, in the order of the texts', async () => {
  const texts = ['first', 'the second one', 'a third'];
  const [own, there] = await Promise.all([
    model.embed(texts, 'passage', never),
    served().embed(texts, 'passage', never),
  ]);
  for (const [at, vector] of own.entries()) expect(cosine(vector, there[at] ?? vector)).toBeCloseTo(1, 6);
  expect(server.asked).toMatchObject([{ model: 'minilm', input: texts, authorization: null }]);
});

test('the prefix of its kind stands before each text, and the key goes with each request', async () => {
  const embedder = served({}, { prefix: { passage: 'passage: ', query: 'query: ' } }, 'the key');
  await embedder.embed(['one'], 'passage', never);
  await embedder.embed(['two'], 'query', never);
  expect(server.asked.map(({ input }) => input)).toEqual([['passage: one'], ['query: two']]);
  expect(server.asked.map(({ authorization }) => authorization)).toEqual(['Bearer the key', 'Bearer the key']);
});

test('requests are bounded in texts, in characters and in number', async () => {
  const texts = Array.from({ length: 25 }, (_, index) => `text ${index} `.repeat(index === 3 ? 40 : 1));
  const vectors = await served({ textsARequest: 4, charactersARequest: 300, requestsAtOnce: 2 }).embed(
    texts,
    'passage',
    never,
  );
  expect(vectors).toHaveLength(25);
  const sent = server.asked.map(({ input }) => input);
  expect(sent.flat().sort()).toEqual(texts.sort());
  for (const input of sent) {
    expect(input.length).toBeLessThanOrEqual(4);
    // One text alone may be longer.
    expect(input.length === 1 || input.join('').length <= 300).toBe(true);
  }
  expect(server.most()).toBeLessThanOrEqual(2);
});

test.each([
  ['too many requests', status(429, { 'retry-after': '0' })],
  ['too many requests until a time', status(429, { 'retry-after': new Date().toUTCString() })],
  ['trouble of its own', status(503)],
  ['a connection that breaks', (response: Parameters<Fate>[0]) => void response.destroy()],
  ['an answer that ends early', (response: Parameters<Fate>[0]) => void response.writeHead(200).end('{"data":[')],
  ['an answer of another kind', (response: Parameters<Fate>[0]) => respond(response, 200, { embeddings: [] })],
  ['an answer that leaves a text out', (response: Parameters<Fate>[0]) => respond(response, 200, { data: [] })],
] as [string, Fate][])('after %s it asks again', async (_, fate) => {
  server.fates.push(fate);
  await expect(served().embed(['text'], 'passage', never)).resolves.toHaveLength(1);
  expect(server.asked).toHaveLength(2);
});

test('a server that asks for more patience than there is is given up for now, without an attempt more', async () => {
  server.fates.push(status(429, { 'retry-after': '3600' }));
  await expect(served().embed(['text'], 'passage', never)).rejects.toThrow(/answers 429$/);
  expect(server.asked).toHaveLength(1);
});

test('after its attempts it says what the server answered, and nothing of what was in it', async () => {
  server.fates.push(status(500), status(500), status(500));
  const error: unknown = await served({ attempts: 3 })
    .embed(['text'], 'passage', never)
    .catch((reason: unknown) => reason);
  expect(String(error)).toMatch(/127\.0\.0\.1:\d+ answers 500$/);
  expect(server.asked).toHaveLength(3);
});

test.each([
  [400, /answers 400$/],
  [401, /answers 401: it refuses the key$/],
  [404, /answers 404$/],
])('%i is the same the next time: it is not asked again', async (code, message) => {
  server.fates.push(status(code));
  await expect(served({}, {}, 'wrong key').embed(['text'], 'passage', never)).rejects.toThrow(message);
  expect(server.asked).toHaveLength(1);
});

test('G11 a model of other dimensions than its identity says is refused for good', async () => {
  await expect(served({}, { dimensions: 768 }).embed(['text'], 'passage', never)).rejects.toMatchObject({
    type: 'EmbeddingMismatch',
    message: expect.stringMatching(/384 dimensions, not 768/) as unknown,
  });
  expect(server.asked).toHaveLength(1);
});

test('a server that does not answer in time is asked again', async () => {
  server.fates.push(() => undefined);
  await expect(served({ timeoutMs: 1_500 }).embed(['text'], 'passage', never)).resolves.toHaveLength(1);
  expect(server.asked).toHaveLength(2);
});

test('an abort ends the request that is under way, and the pause between two', async () => {
  const abort = new AbortController();
  const reason = new Error('not wanted any more');
  server.fates.push(() => void setTimeout(() => abort.abort(reason), 20));
  await expect(served().embed(['text'], 'passage', abort.signal)).rejects.toBe(reason);

  const second = new AbortController();
  server.fates.push((response) => {
    status(503)(response);
    setTimeout(() => second.abort(reason), 50);
  });
  await expect(served({ pauseMs: 60_000 }).embed(['text'], 'passage', second.signal)).rejects.toBe(reason);
});

test('of several requests one that fails ends the others', async () => {
  server.fates.push(status(400));
  const texts = Array.from({ length: 12 }, (_, index) => `text ${index}`);
  await expect(served({ textsARequest: 1, requestsAtOnce: 1 }).embed(texts, 'passage', never)).rejects.toThrow('400');
  await expect(served().embed(['after'], 'passage', never)).resolves.toHaveLength(1);
  expect(server.asked).toHaveLength(2);
});

test.each(['/v1', '/v1/', '/v1/embeddings'])('%s of a server is asked for embeddings', async (path) => {
  const url = new URL(path, server.url).href;
  const embedder = createServedEmbedder({ url, key: null, identity });
  await expect(embedder.embed(['text'], 'query', never)).resolves.toHaveLength(1);
});

test('nobody there is an error that a later try may not have', async () => {
  await server.close();
  await expect(served({ attempts: 2 }).ready()).rejects.toThrow(/does not answer: ECONNREFUSED$/);
  server = await startEmbeddingServer(model);
  await expect(served().ready()).resolves.toBeUndefined();
});
