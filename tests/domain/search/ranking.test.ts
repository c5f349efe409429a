import fc from 'fast-check';
import { rank, type Ranked, type Standing } from '../../../domain/search/ranking.ts';

const fusion = { k: 11, weights: { dense: 1, lexical: 1.5 } };
let last = 0;
const hit = (fused: number, more: Partial<Ranked> & { dense?: number; lexical?: number } = {}): Ranked => {
  const { dense = 0.5, lexical = 1, ...rest } = more;
  const chunk = `chunk-${String((last += 1)).padStart(4, '0')}`;
  return {
    ...{
      chunk,
      project: 'mine',
      content: chunk,
      identity: 'model',
      standing: 'raw',
      scores: { dense, lexical, fused },
    },
    ...rest,
  };
};
const order = (hits: readonly Ranked[], limit = 10) => rank(hits, { ...fusion, limit }).map(({ chunk }) => chunk);

test('C8 the best fused score comes first', () => {
  const [third, first, second] = [hit(0.1), hit(0.3), hit(0.2)];
  expect(order([third, first, second])).toEqual([first.chunk, second.chunk, third.chunk]);
  expect(order([third, first, second], 1)).toEqual([first.chunk]);
});

test('C8 the order depends on the hits alone, not on the order in which they come', () => {
  const some = fc.record({
    fused: fc.integer({ min: 1, max: 4 }).map((value) => value / 10),
    dense: fc.integer({ min: 0, max: 3 }).map((value) => value / 3),
    lexical: fc.integer({ min: 0, max: 3 }),
    project: fc.constantFrom('mine', 'theirs'),
    content: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    standing: fc.constantFrom<Standing>('current', 'raw', 'stale'),
  });
  fc.assert(
    fc.property(fc.array(some, { maxLength: 12 }), fc.integer(), (given, by) => {
      const hits = given.map(({ fused, ...more }) => hit(fused, more));
      const turned = hits.map((_, index) => hits[(index + Math.abs(by)) % hits.length]).flatMap((each) => each ?? []);
      expect(order(turned)).toEqual(order(hits));
    }),
  );
});

test('C8 twins share what their places are worth, whichever of them Qdrant has ranked first', () => {
  const [a, b] = [hit(0.4, { content: 'same' }), hit(0.2, { content: 'same' })];
  const between = hit(0.35);
  const swapped = [{ ...a, scores: b.scores }, { ...b, scores: a.scores }, between];
  expect(order([a, b, between])).toEqual(order(swapped));
  expect(rank([a, b], { ...fusion, limit: 2 }).map(({ scores }) => scores.fused)).toEqual([
    Math.fround(0.30000000000000004),
    Math.fround(0.30000000000000004),
  ]);
});

test('C8 across projects a first place counts for nothing: what is nearer to the question is first', () => {
  const theirs = hit(2 / 11, { project: 'theirs', dense: 0.1, lexical: 0.5 });
  const mine = [hit(2 / 11, { dense: 0.9, lexical: 9 }), hit(2 / 12, { dense: 0.8, lexical: 8 })];
  expect(order([theirs, ...mine])).toEqual([...mine.map(({ chunk }) => chunk), theirs.chunk]);
});

test('C8 vectors of different models are not compared', () => {
  const theirs = hit(2 / 11, { project: 'theirs', identity: 'other', dense: 0.99, lexical: 1 });
  const mine = hit(2 / 11, { dense: 0.3, lexical: 9 });
  expect(order([theirs, mine])).toEqual([mine.chunk, theirs.chunk]);
});

test('W5 the current view is above raw notes, what it took the place of behind them', () => {
  const [stale, raw, current] = [hit(0.9, { standing: 'stale' }), hit(0.5), hit(0.2, { standing: 'current' })];
  expect(order([stale, raw, current])).toEqual([current.chunk, raw.chunk, stale.chunk]);
});

test('W5 whoever asks for more gets the same and more: no view is lifted from far behind because the list is long', () => {
  const raw = Array.from({ length: 40 }, (_, index) => hit(0.9 - index / 100));
  const [near, far] = [hit(0.845, { standing: 'current' }), hit(0.6, { standing: 'current' })];
  const hits = [...raw, near, far];
  expect(order(hits, 10)[0]).toBe(near.chunk);
  expect(order(hits, 100).slice(0, 10)).toEqual(order(hits, 10));
  expect(order(hits, 100).indexOf(far.chunk)).toBeGreaterThan(20);
});

test('W5 a view that is not among the best answers is not lifted into them', () => {
  const raw = Array.from({ length: 3 }, (_, index) => hit(0.9 - index / 10));
  const current = hit(0.01, { standing: 'current' });
  expect(order([...raw, current], 3)).toEqual(raw.map(({ chunk }) => chunk));
});
