import fc from 'fast-check';
import { termHash, termHashesOf, termsOf } from '../../../domain/lexical/terms.ts';

test.each([
  ['rolled back the deploys', ['roll', 'back', 'the', 'deploi']],
  ['Flows, flowing; FLOWED.', ['flow', 'flow', 'flow']],
  ['naïve Kepler’s café', ['naiv', 'kepler', 'cafe']],
  ['boundary-layer and/or flow', ['boundari', 'layer', 'and', 'or', 'flow']],
  ['ERR_NOT_FOUND', ['err_not_found', 'err', 'not', 'found']],
  ['p04-gigabit', ['p04-gigabit', 'p04', 'gigabit']],
  ['v1.29.1', ['v1.29.1', 'v1', '29', '1']],
  ['createUserStore', ['createuserstor', 'creat', 'user', 'store']],
  ['HTTPServer', ['httpserver', 'http', 'server']],
  ['日本語の', ['日本', '本語', '語の']],
  ['Привет, мир', ['привет', 'мир']],
  ['The end. Next one', ['the', 'end', 'next', 'on']],
  ['… — !', []],
])('%s', (text, terms) => {
  expect(termsOf(text)).toEqual(terms);
});

test('any text has terms, none is empty, and case and surrounding space change none', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
      const terms = termsOf(text);
      expect(terms.every((term) => term.length > 0)).toBe(true);
      expect(termsOf(`  ${text}\n`)).toEqual(terms);
    }),
  );
  fc.assert(
    fc.property(fc.array(fc.stringMatching(/^[a-z]{1,12}$/)), (words) => {
      expect(termsOf(words.join(' ').toUpperCase())).toEqual(termsOf(words.join(' ')));
    }),
  );
});

test('letters of other scripts in a text change none of its other terms, and hashes are those of the terms', () => {
  const ascii = fc.string({ unit: fc.constantFrom(...Array.from("abcsXYZ019 '_-.:/\n")), maxLength: 80 });
  fc.assert(
    fc.property(fc.oneof(ascii, fc.string({ maxLength: 80 })), (text) => {
      expect(termsOf(`${text} é`)).toEqual([...termsOf(text), 'e']);
      expect(termHashesOf(text)).toEqual(termsOf(text).map(termHash));
    }),
    { numRuns: 200 },
  );
});

test('what is bait for slow expressions is read like everything else', () => {
  const baits = [
    'a'.repeat(200_000),
    'a_'.repeat(100_000),
    '_'.repeat(200_000),
    'a.-'.repeat(70_000),
    '’s'.repeat(70_000),
  ];
  for (const bait of baits) expect(termsOf(bait).length).toBeLessThanOrEqual(bait.length);
});

test('a hash is 32 bits without a sign, always the same, and collides as seldom as chance has it', () => {
  expect(termHash('deploi')).toBe(2_322_400_536);
  const words = Array.from({ length: 100_000 }, (_, index) => `term${index.toString(36)}`);
  const hashes = new Set(words.map(termHash));
  // By chance 1.2 pairs of 100,000.
  expect(words.length - hashes.size).toBeLessThan(8);
  for (const hash of hashes) {
    if (hash < 0 || hash > 0xffffffff || !Number.isInteger(hash)) throw new Error(`not 32 bits: ${hash}`);
  }
});
