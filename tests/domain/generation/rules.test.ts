import fc from 'fast-check';
import { differences, repairPoints, type Count } from '../../../domain/generation/comparison.ts';
import {
  alive,
  aliveAt,
  heartbeatBoundMs,
  readerBoundMs,
  requestBoundMs,
  settleMs,
} from '../../../domain/generation/generation.ts';
import { chunkId, chunkKey, collectionName, documentId, documentKey } from '../../../domain/generation/ids.ts';
import {
  mayPin,
  pinsAgainstCollection,
  pinsAgainstSweep,
  raisedFloor,
  refusalToBegin,
  refusalToCommit,
  refusalToRollBack,
  type GenerationStanding,
} from '../../../domain/generation/rules.ts';
import { uuidv5 } from '../../../domain/uuid.ts';

const here = 'life 1';
const standing = { visible: 4, gc_floor: 2, held: false };
const generation = (change: Partial<GenerationStanding> = {}): GenerationStanding => ({
  ...{ number: 5, parent: 4, state: 'proved', incarnation: here },
  ...change,
});

test('G2 a version 5 uuid, as RFC 9562 has it', () => {
  expect(uuidv5('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'www.example.com')).toBe(
    '2ed6657d-e927-568b-95e1-2665a8aea6a2',
  );
});

test('G2 alive from its birth up to its death, which does not see it; what lives is above every number', () => {
  const lifetime = { born: 3, died: 5 };
  expect([2, 3, 4, 5].map((number) => aliveAt(lifetime, number))).toEqual([false, true, true, false]);
  expect(alive).toBe(Number.MAX_SAFE_INTEGER);
  expect(aliveAt({ born: 3, died: alive }, alive - 1)).toBe(true);
});

test('G2 a chunk that comes back is another incarnation: what was dead, and is perhaps pinned, stays as it is', () => {
  const ids = [1, 2, 3].map((born) => chunkId('p', 'the same key', born));
  expect(new Set([...ids, chunkId('q', 'the same key', 1), chunkId('p', 'another', 1)]).size).toBe(5);
});

const content = {
  ...{ document: 'd', ordinal: 0, heading: ['A'], text_start: 0, text_end: 9, place: { lines: [1, 2], page: 3 } },
  ...{ kind: 'corpus', embedded_sha256: new Uint8Array([1, 2]) },
};

test.each([
  { document: 'e' },
  { ordinal: 1 },
  { heading: ['A', 'B'] },
  { text_start: 1 },
  { text_end: 10 },
  { place: { lines: [1, 3], page: 3 } },
  { kind: 'trusted_operational' },
  { embedded_sha256: new Uint8Array([1, 3]) },
])('G2 whatever a row is made of is in its key: %j', (change) => {
  expect(chunkKey({ ...content, ...change })).not.toBe(chunkKey(content));
});

test('G2 the key does not depend on how a place was written down', () => {
  expect(chunkKey({ ...content, place: { page: 3, lines: [1, 2] } })).toBe(chunkKey(content));
});

test('G2 keys and ids of documents, and names of collections, are told apart by each of their parts', () => {
  const ids = [
    documentKey('p', 's', 'a', 0),
    documentKey('p', 's', 'a', 1),
    documentKey('p', 'sa', '', 0),
    documentId('p', 's', 0),
    documentId('p', 's', 1),
  ];
  expect(new Set(ids).size).toBe(5);
  expect(new Set([collectionName('none', '1'), collectionName('none', '2'), collectionName('none1', '')]).size).toBe(3);
  expect(collectionName('none', '1', 'other')).toMatch(/^other-[0-9a-f]{20}$/);
});

test.each([
  [{ incarnation: here, visible: 4 }, {}, [], null],
  [{ incarnation: 'life 0', visible: 4 }, {}, [], 'incarnation_changed'],
  [{ incarnation: here, visible: 4 }, { held: true }, [], 'held'],
  [{ incarnation: here, visible: 3 }, {}, [], 'replan'],
  [{ incarnation: here, visible: 4 }, {}, [6], 'unswept'],
] as const)('G1 G5 begin %#', (seen, change, unswept, refusal) => {
  expect(refusalToBegin(seen, { ...standing, ...change, incarnation: here, unswept })).toBe(refusal);
});

test.each([
  [generation(), 4, here, null],
  [generation({ state: 'committed' }), 7, here, null],
  [generation(), 3, here, 'parent_moved'],
  [generation({ state: 'writing' }), 4, here, 'not_proved'],
  [generation({ state: 'discarded' }), 4, here, 'not_proved'],
  [generation({ incarnation: 'life 0' }), 4, here, 'not_proved'],
  [generation(), 4, 'life 0', 'incarnation_changed'],
  [null, 4, here, 'not_proved'],
] as const)('G4 commit %#', (known, visible, incarnation, refusal) => {
  expect(refusalToCommit({ incarnation }, { visible, incarnation: here, generation: known })).toBe(refusal);
});

test.each([
  [null, standing, 3, null],
  [4, standing, 3, null],
  [5, standing, 3, 'not_visible'],
  [null, { ...standing, held: true }, 3, 'held'],
  [null, standing, 1, 'collected'],
] as const)('G5 roll back %#', (wanted, project, parent, refusal) => {
  expect(refusalToRollBack(wanted, project, generation({ number: 4, parent, state: 'committed' }))).toBe(refusal);
});

test('G5 roll back nothing', () => {
  expect(refusalToRollBack(null, standing, null)).toBe('nothing_visible');
});

const number = fc.nat(20);
const pins = fc.array(number, { maxLength: 4 });

test('G6 the floor is below all pins and the parent, and never goes back', () => {
  fc.assert(
    fc.property(number, number, pins, (gc_floor, parent, pinned) => {
      const floor = raisedFloor({ ...standing, gc_floor }, parent, pinned);
      expect(floor).toBeGreaterThanOrEqual(gc_floor);
      if (floor > gc_floor) expect(Math.min(parent, ...pinned)).toBe(floor);
    }),
  );
});

test('G7 what may be pinned is read as it was, whatever is collected afterwards', () => {
  fc.assert(
    fc.property(number, number, number, number, pins, (pin, gc_floor, visible, parent, others) => {
      fc.pre(mayPin(pin, { visible, gc_floor, held: false }));
      const floor = raisedFloor({ visible, gc_floor, held: false }, parent, [pin, ...others]);
      expect(pinsAgainstCollection(floor, [pin])).toEqual([]);
      // What dies up to the floor was dead at the pin.
      expect(aliveAt({ born: 0, died: floor }, pin)).toBe(false);
    }),
  );
});

test('G7 a pin at or above a number keeps its births and its deaths', () => {
  expect(pinsAgainstSweep(5, [3, 4, 5, 9])).toEqual([5, 9]);
});

test('G6 G9 it waits longer than any reader or late writer lives', () => {
  expect(settleMs).toBeGreaterThanOrEqual(readerBoundMs);
  expect(settleMs).toBeGreaterThanOrEqual(heartbeatBoundMs + requestBoundMs);
});

const count = (mark: Count['mark'], at: number, of: number): Count => ({
  collection: 'c',
  mark,
  number: at,
  count: of,
});

test('G3 where the stores differ, numbers that only one has among them', () => {
  const rows = [count('born', 1, 3), count('born', 2, 1), count('died', 2, 1)];
  const points = [count('born', 1, 3), count('born', 7, 1), count('died', 2, 2)];
  expect(differences(rows, points)).toEqual([
    { collection: 'c', mark: 'born', number: 2, rows: 1, points: 0 },
    { collection: 'c', mark: 'born', number: 7, rows: 0, points: 1 },
    { collection: 'c', mark: 'died', number: 2, rows: 1, points: 2 },
  ]);
});

test('G9 repaired points are what the rows say, and those without a row are gone', () => {
  const point = fc.record({ id: fc.constantFrom('a', 'b', 'c', 'd'), died: number });
  const row = fc.record({ died: number, collection: fc.constantFrom('here', 'there') });
  const rowsById = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), row).map((all) => new Map(Object.entries(all)));
  const points = fc.uniqueArray(point, { selector: ({ id }) => id });
  fc.assert(
    fc.property(points, rowsById, number, (found, rows, floor) => {
      const { remove, redate } = repairPoints('here', found, rows, floor);
      const dates = new Map([...redate].flatMap(([died, ids]) => ids.map((id) => [id, died])));
      const left = found.filter(({ id }) => !remove.includes(id)).map(({ id, died }) => [id, dates.get(id) ?? died]);
      const wanted = found
        .filter(({ id }) => rows.get(id)?.collection === 'here' && (rows.get(id)?.died ?? 0) > floor)
        .map(({ id }) => [id, rows.get(id)?.died]);
      expect(left).toEqual(wanted);
    }),
  );
});
