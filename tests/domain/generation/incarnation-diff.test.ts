import fc from 'fast-check';
import { alive } from '../../../domain/generation/generation.ts';
import { chunkId } from '../../../domain/generation/ids.ts';
import { diffIncarnations, type StoredIncarnation } from '../../../domain/generation/incarnation-diff.ts';

const number = 9;
const keys = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'));

/** What was alive at the parent, before the wave. */
const parent = fc
  .uniqueArray(fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd', 'e'), born: fc.integer({ min: 1, max: 8 }) }), {
    selector: ({ key }) => key,
  })
  .map((all) => all.map(({ key, born }) => ({ id: chunkId('p', key, born), key, born, died: alive, collection: 'c' })));

/** The rows after an attempt. */
function after(stored: readonly StoredIncarnation[], wanted: readonly string[]): StoredIncarnation[] {
  const diff = diffIncarnations({ project: 'p', keys: wanted, collection: 'c' }, stored, number);
  const changed = stored
    .filter(({ id }) => !diff.stray.includes(id))
    .map((row) => ({
      ...row,
      died: diff.died.includes(row.id) ? number : diff.revived.includes(row.id) ? alive : row.died,
    }));
  const there = new Set(changed.map(({ id }) => id));
  const born = [...diff.born].filter(([, id]) => !there.has(id));
  return [
    ...changed,
    ...born.map(([at, id]) => ({ id, key: wanted[at] ?? '', born: number, died: alive, collection: 'c' })),
  ];
}

const byId = (rows: readonly StoredIncarnation[]) => [...rows].sort((a, b) => (a.id < b.id ? -1 : 1));
const aliveKeys = (rows: readonly StoredIncarnation[]) =>
  rows
    .filter(({ died }) => died === alive)
    .map(({ key }) => key)
    .sort();

test('G3 one attempt or several, whatever the ones before had seen: the same rows', () => {
  fc.assert(
    fc.property(parent, fc.array(keys, { maxLength: 3 }), keys, (stored, earlier, wanted) => {
      const once = after(stored, wanted);
      const often = after(earlier.reduce(after, stored), wanted);
      expect(byId(often)).toEqual(byId(once));
      expect(aliveKeys(once)).toEqual([...wanted].sort());
    }),
  );
});

test('G2 what the parent sees stays, and what is the same is not born again', () => {
  fc.assert(
    fc.property(parent, keys, (stored, wanted) => {
      const rows = after(stored, wanted);
      const before = rows.filter(({ born }) => born < number);
      expect(byId(before.map((row) => ({ ...row, died: alive })))).toEqual(byId(stored));
      const known = stored.map(({ key }) => key);
      const born = rows.filter((row) => row.born === number).map(({ key }) => key);
      expect(born.sort()).toEqual(wanted.filter((key) => !known.includes(key)).sort());
    }),
  );
});

test('G11 in another collection everything is born again', () => {
  const stored = [{ id: chunkId('p', 'a', 3), key: 'a', born: 3, died: alive, collection: 'old' }];
  const diff = diffIncarnations({ project: 'p', keys: ['a'], collection: 'new' }, stored, number);
  expect(diff).toMatchObject({ kept: [], died: [stored[0]?.id], revived: [], stray: [] });
  expect([...diff.born.values()]).toEqual([chunkId('p', 'a', number)]);
});

test('a document that has a chunk twice is refused: two rows would be one', () => {
  expect(() => diffIncarnations({ project: 'p', keys: ['a', 'a'], collection: 'c' }, [], number)).toThrow('twice');
});
