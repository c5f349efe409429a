import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { cosine, normalise } from '../../../domain/embedding.ts';
import type { Embedder } from '../../../adapters/embeddings/embedder.ts';
import { compileTree } from '../../support/compile.ts';
import { realEmbedder, realModel, threadProgram } from '../../support/embedding-model.ts';

const never = new AbortController().signal;
const long = 'a passage that is longer than what the model reads of it, '.repeat(60);
let embedder: Embedder;

beforeAll(async () => {
  embedder = await realEmbedder();
  await embedder.ready();
}, 300_000);
afterAll(() => embedder.close());

function at<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined) throw new Error(`there is no item ${index}`);
  return item;
}

describe('the real model', () => {
  test('texts of one meaning are nearer to each other than to another', async () => {
    const texts = ['How do I put back the last release?', 'Rolling back a deploy', 'The recipe needs three eggs'];
    const vectors = await embedder.embed(texts, 'passage', never);
    expect(cosine(at(vectors, 0), at(vectors, 1))).toBeGreaterThan(cosine(at(vectors, 0), at(vectors, 2)) + 0.2);
  });

  test('its vectors have 384 numbers and length 1, also of nothing and of what is cut', async () => {
    const vectors = await embedder.embed(['', long, 'x'.repeat(100_000), '\u0000 \ud800', '日本語'], 'passage', never);
    for (const vector of vectors) {
      expect(vector).toHaveLength(384);
      expect(cosine(vector, vector)).toBeCloseTo(1, 5);
    }
  });

  test('what comes after 256 word pieces changes nothing, and what comes before does', async () => {
    const vectors = await embedder.embed([long, `${long}another end`, `another begin ${long}`], 'passage', never);
    expect(at(vectors, 1)).toEqual(at(vectors, 0));
    expect(at(vectors, 2)).not.toEqual(at(vectors, 0));
  });

  test('the same text has the same vector, whatever is embedded beside it and in whichever thread', async () => {
    const other = await realEmbedder();
    const texts = ['first text', 'a second text', long];
    const [together, alone, elsewhere] = await Promise.all([
      embedder.embed(texts, 'passage', never),
      Promise.all(texts.map(async (text) => at(await embedder.embed([text], 'query', never), 0))),
      other.embed(texts.toReversed(), 'passage', never),
    ]).finally(() => other.close());
    expect(alone).toEqual(together);
    expect(elsewhere.toReversed()).toEqual(together);
  });

  test('it gives what sentence-transformers gives for all-MiniLM-L6-v2, but for the 8 bits of its weights', async () => {
    const [vector] = await embedder.embed(['This is an example sentence'], 'passage', never);
    // The first numbers of the model's own card, made with 32 bits.
    const known = Float32Array.from([0.0676569, 0.0634959, 0.0487131, 0.0793049, 0.037448]);
    expect(cosine(normalise((vector ?? known).slice(0, 5)), normalise(known))).toBeGreaterThan(0.98);
  });
});

describe('its thread', () => {
  test('an abort ends the wait at once, and the rest is not embedded', async () => {
    const abort = new AbortController();
    const many = embedder.embed(
      Array.from({ length: 200 }, (_, index) => `${index} ${long}`),
      'passage',
      abort.signal,
    );
    const asked = many.catch((error: unknown) => error);
    const reason = new Error('not wanted any more');
    abort.abort(reason);
    expect(await asked).toBe(reason);
    // Behind 200 long ones this would take many seconds.
    const after = await Promise.race([
      embedder.embed(['next'], 'passage', never),
      embedder
        .embed(
          Array.from({ length: 20 }, () => long),
          'passage',
          never,
        )
        .then(() => 'twenty were faster'),
    ]);
    expect(after).toHaveLength(1);
  });

  test('a question does not wait for the passages that were there before it', async () => {
    const order: string[] = [];
    const passages = embedder
      .embed(
        Array.from({ length: 20 }, () => long),
        'passage',
        never,
      )
      .then(() => order.push('passages'));
    const question = embedder.embed(['a question'], 'query', never).then(() => order.push('question'));
    await Promise.all([passages, question]);
    expect(order).toEqual(['question', 'passages']);
  });

  test('the event loop of its process is free while it works', async () => {
    let turns = 0;
    const timer = setInterval(() => (turns += 1), 1);
    await embedder
      .embed(
        Array.from({ length: 10 }, () => long),
        'passage',
        never,
      )
      .finally(() => clearInterval(timer));
    expect(turns).toBeGreaterThan(10);
  });

  test('what waits when it is closed is rejected, and a text after that starts it again', async () => {
    const own = await realEmbedder();
    const waiting = own
      .embed(
        Array.from({ length: 10 }, () => long),
        'passage',
        never,
      )
      .catch((error: unknown) => error);
    await own.ready();
    await own.close();
    expect(await waiting).toMatchObject({ message: 'The embedding model was closed' });
    await expect(own.embed(['again'], 'passage', never)).resolves.toHaveLength(1);
    await own.close();
  });

  test.each([
    ['process.exit(7)', 7],
    ['throw new Error("its own trouble")', 1],
    ['embedder.close().then(() => (process.exitCode = 9))', 9],
  ])('a process that ends in the middle of a text by %s ends as it wanted to', async (ending, expected) => {
    const { folder, model } = await realModel();
    const { program } = compileTree();
    const settings = { folder, model, program: threadProgram(), threads: 1, boxLimit: null };
    const script = `
        import { createOnnxEmbedder } from ${JSON.stringify(pathToFileURL(program('adapters/embeddings/onnx.js')))};
        const embedder = createOnnxEmbedder(${JSON.stringify(settings)});
        await embedder.ready();
        const texts = Array.from({ length: 50 }, () => ${JSON.stringify(long)});
        embedder.embed(texts, 'passage', new AbortController().signal).catch(() => undefined);
        setTimeout(() => { ${ending} }, 50);`;
    const args = ['--input-type=module', '--eval', script];
    const { status, signal } = spawnSync(process.execPath, args);
    expect([status, signal]).toEqual([expected, null]);
  });
});

describe('a model that is not the known one', () => {
  let folder: string;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'holdfast-model-'));
    cpSync((await realModel()).folder, folder, { recursive: true });
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test.each(['model.onnx', 'tokenizer.json', 'tokenizer_config.json'])(
    'another %s is never loaded, and that is permanent',
    async (name) => {
      writeFileSync(join(folder, name), '{"some":"thing else"}');
      const own = await realEmbedder({ folder });
      const type = { type: 'EmbeddingMismatch', message: expect.stringContaining(name) as unknown };
      await expect(own.ready()).rejects.toMatchObject(type);
      await expect(own.embed(['text'], 'passage', never)).rejects.toMatchObject(type);
    },
  );

  test('one of other dimensions than its identity says is not used', async () => {
    const { model } = await realModel();
    const own = await realEmbedder({ model: { ...model, identity: { ...model.identity, dimensions: 768 } } });
    await expect(own.ready()).rejects.toMatchObject({ type: 'EmbeddingMismatch' });
  });

  test('a file that is gone rejects what waits, and it works once it is back', async () => {
    const { folder: whole } = await realModel();
    rmSync(join(folder, 'tokenizer.json'));
    const own = await realEmbedder({ folder });
    await expect(own.embed(['one', 'two'], 'passage', never)).rejects.toThrow(/^ENOENT/);
    cpSync(join(whole, 'tokenizer.json'), join(folder, 'tokenizer.json'));
    await expect(own.embed(['one', 'two'], 'passage', never)).resolves.toHaveLength(2);
    await own.close();
  });
});
