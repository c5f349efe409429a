import { candidateQuery } from '../../../domain/search/candidates.ts';

const terms = { indices: [7, 9], values: [1.5, 0.5] };
const scope = { project: 'p04-gigabit', generation: 5, kind: null };
const settings = { k: 11, weights: { dense: 1, lexical: 1.5 }, depth: 100, limit: 20, exact: true };

test('G8 each arm has the filter of its project and its generation inside', () => {
  const query = candidateQuery({ dense: [1, 0], terms }, scope, settings);
  const filter = {
    must: [
      { key: 'project', match: { value: 'p04-gigabit' } },
      { key: 'born', range: { lte: 5 } },
      { key: 'died', range: { gt: 5 } },
    ],
  };
  expect(query).toEqual({
    prefetch: [
      { query: [1, 0], using: 'dense', limit: 100, filter, params: { exact: true } },
      { query: terms, using: 'terms', limit: 100, filter },
    ],
    query: { rrf: { k: 11, weights: [1, 1.5] } },
    limit: 20,
  });
});

test('C8 a kind is filtered inside the arms too', () => {
  const query = candidateQuery({ dense: [1], terms }, { ...scope, kind: 'trusted_operational' }, settings);
  for (const { filter } of query?.prefetch ?? [])
    expect(filter.must).toContainEqual({ key: 'kind', match: { value: 'trusted_operational' } });
});

test('C8 an arm that has nothing to ask is left out, and without any there is no query', () => {
  const nothing = { indices: [], values: [] };
  expect(candidateQuery({ dense: null, terms }, scope, settings)?.prefetch.map(({ using }) => using)).toEqual([
    'terms',
  ]);
  expect(candidateQuery({ dense: [1], terms: nothing }, scope, settings)?.prefetch.map(({ using }) => using)).toEqual([
    'dense',
  ]);
  expect(candidateQuery({ dense: null, terms: nothing }, scope, settings)).toBeNull();
});

test('C8 how deep the arms reach does not follow the limit, which would change the order; a single arm gives what is asked for', () => {
  const limits = (dense: number[] | null) =>
    candidateQuery({ dense, terms }, scope, { ...settings, limit: 240 })?.prefetch.map(({ limit }) => limit);
  expect(limits([1])).toEqual([100, 100]);
  expect(limits(null)).toEqual([240]);
});
