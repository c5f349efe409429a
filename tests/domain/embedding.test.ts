import fc from 'fast-check';
import {
  cosine,
  dimensionsOf,
  embeddedSha256,
  embeddingKey,
  normalise,
  textToEmbed,
  type EmbeddingIdentity,
} from '../../domain/embedding.ts';

const identity: EmbeddingIdentity = {
  model: 'all-MiniLM-L6-v2-int8',
  sha256: '8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6',
  dimensions: 384,
  pooling: 'mean',
  max_tokens: 256,
  prefix: { passage: '', query: '' },
};

test('G11 the key of an identity is told by everything that decides a vector', () => {
  const others: Partial<EmbeddingIdentity>[] = [
    { model: 'another' },
    { sha256: null },
    { sha256: identity.sha256?.replace('8199', '9199') ?? null },
    { dimensions: 768 },
    { pooling: 'served' },
    { max_tokens: 512 },
    { max_tokens: null },
    { prefix: { passage: 'passage: ', query: '' } },
    { prefix: { passage: '', query: 'passage: ' } },
    { prefix: { passage: 'passage:', query: ' ' } },
  ];
  const keys = [{}, ...others].map((other) => embeddingKey({ ...identity, ...other }));
  expect(keys[0]).toBe('all-MiniLM-L6-v2-int8:384:mean:256:8199be6f699a');
  expect(new Set(keys).size).toBe(others.length + 1);
});

test('a key says how many dimensions its vectors have, whatever the model is called', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), fc.integer({ min: 1, max: 65_536 }), (model, dimensions) => {
      expect(dimensionsOf(embeddingKey({ ...identity, model, dimensions }))).toBe(dimensions);
    }),
  );
  expect(dimensionsOf('none')).toBeNull();
  expect(() => dimensionsOf('what is this')).toThrow('Not the key');
});

test('what is embedded is the path of headings, then the text; its sum is that of the bytes', () => {
  expect(textToEmbed([], 'text')).toBe('text');
  expect(textToEmbed(['Guide', 'Backups'], 'text')).toBe('Guide > Backups\n\ntext');
  const hex = Buffer.from(embeddedSha256('abc')).toString('hex');
  expect(hex).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
});

test('a normalised vector has length 1 and its direction; all zeros stay', () => {
  const numbers = fc.array(fc.float({ min: -1_000, max: 1_000, noNaN: true }), { minLength: 1, maxLength: 50 });
  fc.assert(
    fc.property(numbers, (values) => {
      fc.pre(values.some((value) => Math.abs(value) > 0.001));
      const vector = normalise(Float32Array.from(values));
      expect(cosine(vector, vector)).toBeCloseTo(1, 4);
      for (const [at, value] of values.entries()) expect((vector[at] ?? 0) * value).toBeGreaterThanOrEqual(0);
    }),
  );
  expect(normalise(new Float32Array(3))).toEqual(new Float32Array(3));
});
