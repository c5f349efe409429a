import fc from 'fast-check';
import { judgeBounds, sharesOf, type Share } from '../../../domain/evaluation/shares.ts';

const of = (project: string, trusted = false): Share => ({ project, trusted });
const times = (count: number, hit: Share): Share[] => Array.from({ length: count }, () => hit);
const open = {
  ...{
    max_ambiguity: null,
    max_meta_share: null,
    min_own_share: null,
    min_trusted_share: null,
    max_trusted_share: null,
  },
};

test('C9 of one project alone only the share of trusted views means anything', () => {
  const shares = sharesOf([[of('a', true), ...times(3, of('a'))]], ['a']);
  expect(shares).toEqual({ trusted_share: 0.25, own_share: null, meta_share: null, ambiguity: null });
  expect(sharesOf([[]], ['a', 'b'])).toEqual({
    trusted_share: null,
    own_share: null,
    meta_share: null,
    ambiguity: null,
  });
});

test("C9 Holdfast's own documents are told from any other project, and only where they were named", () => {
  const hits = [[...times(6, of('a')), ...times(3, of('holdfast-docs')), of('b')]];
  expect(sharesOf(hits, ['a', 'b', 'holdfast-docs'])).toMatchObject({ own_share: 0.6, meta_share: 0.3 });
  expect(sharesOf(hits, ['a', 'b']).meta_share).toBeNull();
  expect(sharesOf(hits, ['holdfast-docs', 'a', 'b']).meta_share).toBeNull();
});

test('C9 ambiguity: 0 when each question is of one project, 1 when all share it alike, a mean of questions', () => {
  const clear = times(10, of('a'));
  const even = [...times(5, of('a')), ...times(5, of('b'))];
  expect(sharesOf([clear, times(10, of('b'))], ['a', 'b']).ambiguity).toBe(0);
  expect(sharesOf([even], ['a', 'b']).ambiguity).toBeCloseTo(1, 9);
  expect(sharesOf([even, clear], ['a', 'b']).ambiguity).toBeCloseTo(0.5, 9);
  const some = fc.array(
    fc.array(
      fc.constantFrom('a', 'b', 'c').map((name) => of(name)),
      { maxLength: 30 },
    ),
  );
  fc.assert(
    fc.property(some, (answers) => {
      const { ambiguity } = sharesOf(answers, ['a', 'b', 'c']);
      expect(ambiguity === null || (ambiguity >= 0 && ambiguity <= 1 + 1e-9)).toBe(true);
    }),
  );
});

test('C9 bounds hold figures that there are; one that is just met holds', () => {
  const shares = { trusted_share: 0.2, own_share: 0.6, meta_share: null, ambiguity: 0.4 };
  expect(judgeBounds(open, shares)).toEqual([]);
  const bounds = { ...open, max_ambiguity: 0.3, max_meta_share: 0.1, min_own_share: 0.6, max_trusted_share: 0.1 };
  expect(judgeBounds(bounds, shares)).toEqual([
    { name: 'max_ambiguity', bound: 0.3, value: 0.4, ok: false },
    { name: 'min_own_share', bound: 0.6, value: 0.6, ok: true },
    { name: 'max_trusted_share', bound: 0.1, value: 0.2, ok: false },
  ]);
  expect(judgeBounds({ ...open, min_trusted_share: 0.3 }, shares)).toMatchObject([{ ok: false }]);
});
