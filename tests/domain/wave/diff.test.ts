import fc from 'fast-check';
import { createDiff, type Change, type Differing } from '../../../domain/wave/diff.ts';

/** path -> content */
type Files = Readonly<Record<string, string>>;

/** What Postgres finds, in its order: both sides first, then one-sided paths by content. */
function differing(alive: Files, listed: Files, source = 'notes'): Differing[] {
  const paths = [...new Set([...Object.keys(alive), ...Object.keys(listed)])];
  const rows = paths.map((path): Differing => {
    const [before, now] = [alive[path], listed[path]];
    return {
      ...{ source, path },
      listed: now === undefined ? null : { sha256: now, bytes: now.length },
      alive: before === undefined ? null : { sha256: before, document: keyOf(path) },
    };
  });
  const differ = rows.filter((row) => row.listed?.sha256 !== row.alive?.sha256);
  const both = differ.filter((row) => row.listed !== null && row.alive !== null);
  const one = differ.filter((row) => row.listed === null || row.alive === null);
  const contentOf = (row: Differing) => (row.listed ?? row.alive)?.sha256 ?? '';
  return [...both, ...one.sort((a, b) => (contentOf(a) < contentOf(b) ? -1 : 1))];
}

function diff(rows: readonly Differing[], rewrite = false): Change[] {
  const rule = createDiff({ rewrite });
  return [...rows.flatMap((row) => rule.take(row)), ...rule.end()];
}

const keyOf = (path: string): string => `key of ${path}`;
const short = (changes: readonly Change[]): string[] =>
  changes.map(
    ({ change, path, former_path }) => `${change} ${former_path === null ? '' : `${former_path} -> `}${path}`,
  );

/** Documents after a wave: key -> where it is and what it holds. */
function apply(alive: Files, changes: readonly Change[]): Map<string, { path: string; content: string }> {
  const documents = new Map(Object.entries(alive).map(([path, content]) => [keyOf(path), { path, content }]));
  for (const { change, document, path, sha256 } of changes) {
    if (change === 'removed') documents.delete(document ?? '');
    else documents.set(document ?? `new key of ${path}`, { path, content: sha256 ?? '' });
  }
  return documents;
}

test('W6 added, changed, moved, removed', () => {
  const alive = { 'same.md': 'A', 'edited.md': 'B', 'old/name.md': 'C', 'gone.md': 'D' };
  const listed = { 'same.md': 'A', 'edited.md': 'B2', 'new/name.md': 'C', 'fresh.md': 'E' };
  expect(short(diff(differing(alive, listed))).sort()).toEqual([
    'added fresh.md',
    'changed edited.md',
    'moved old/name.md -> new/name.md',
    'removed gone.md',
  ]);
});

test('W6 a file whose name says another format keeps its identity, and is read again', () => {
  expect(short(diff(differing({ 'notes.txt': 'T' }, { 'notes.md': 'T' })))).toEqual(['changed notes.txt -> notes.md']);
});

test('W10 where everything is embedded again a rename keeps its identity, and none of its chunks', () => {
  const changes = diff(differing({ 'old/a.md': 'T' }, { 'new/a.md': 'T' }), true);
  expect(short(changes)).toEqual(['changed old/a.md -> new/a.md']);
  expect(changes[0]?.document).toBe(keyOf('old/a.md'));
});

test('W6 an equal-content twin is deleted, and only that one', () => {
  expect(short(diff(differing({ 'a.md': 'T', 'b.md': 'T' }, { 'a.md': 'T' })))).toEqual(['removed b.md']);
});

test('W6 a copy is a document of its own, and no move', () => {
  expect(short(diff(differing({ 'a.md': 'T' }, { 'a.md': 'T', 'b.md': 'T' })))).toEqual(['added b.md']);
});

test('W6 of twins that move, each keeps its name, and one that goes is the one that nothing took the place of', () => {
  const alive = { 'old/a.md': 'T', 'old/b.md': 'T', 'old/c.md': 'T' };
  const listed = { 'new/b.md': 'T', 'new/c.md': 'T' };
  expect(short(diff(differing(alive, listed))).sort()).toEqual([
    'moved old/b.md -> new/b.md',
    'moved old/c.md -> new/c.md',
    'removed old/a.md',
  ]);
});

test('W6 a path whose content another path had stays the document that it is', () => {
  const changes = diff(differing({ 'a.md': 'A', 'b.md': 'B' }, { 'b.md': 'A', 'c.md': 'B' }));
  expect(short(changes).sort()).toEqual(['added c.md', 'changed b.md', 'removed a.md']);
});

test('W6 equal content in two sources is no move between them', () => {
  const gone = differing({ 'a.md': 'T' }, {}, 'one');
  const fresh = differing({}, { 'b.md': 'T' }, 'two');
  expect(short(diff([...gone, ...fresh])).sort()).toEqual(['added b.md', 'removed a.md']);
});

const paths = fc.constantFrom(
  ...['a', 'b', 'c'].flatMap((folder) => ['x', 'y', 'z'].map((name) => `${folder}/${name}`)),
);
const files = fc.dictionary(paths, fc.constantFrom('1', '2', '3'), { maxKeys: 9, noNullPrototype: true });

test('W6 whatever was there and whatever is: the changes lead from the one to the other, and no document is used twice', () => {
  fc.assert(
    fc.property(files, files, (alive, listed) => {
      const changes = diff(differing(alive, listed));
      const documents = [...apply(alive, changes).values()];
      const sorted = documents.map(({ path, content }) => [path, content]).sort();
      expect(sorted).toEqual(Object.entries(listed).sort());
      const keys = changes.flatMap(({ document }) => document ?? []);
      expect(new Set(keys).size).toBe(keys.length);
    }),
    { numRuns: 2_000 },
  );
});

test('W6 only what is gone moves, to equal content, and as much of it as can; what is on both sides keeps its document', () => {
  fc.assert(
    fc.property(files, files, (alive, listed) => {
      const changes = diff(differing(alive, listed));
      for (const content of ['1', '2', '3']) {
        const gone = Object.keys(alive).filter((path) => alive[path] === content && !(path in listed)).length;
        const fresh = Object.keys(listed).filter((path) => listed[path] === content && !(path in alive)).length;
        const moves = changes.filter(({ former_path, sha256 }) => former_path !== null && sha256 === content);
        expect(moves).toHaveLength(Math.min(gone, fresh));
        for (const { former_path } of moves) expect(alive[former_path ?? '']).toBe(content);
      }
      for (const { change, path, document } of changes)
        if (change === 'changed') expect([document, path in alive, path in listed]).toEqual([keyOf(path), true, true]);
    }),
    { numRuns: 2_000 },
  );
});

test('W6 the order in which paths of one content come makes no difference', () => {
  fc.assert(
    fc.property(
      files,
      files,
      fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
      (alive, listed, random) => {
        const rows = differing(alive, listed);
        const contentOf = (row: Differing) =>
          `${row.listed !== null && row.alive !== null} ${(row.listed ?? row.alive)?.sha256}`;
        const order = new Map(rows.map((row) => [row, random.next().value]));
        const shuffled = [...rows].sort((a, b) =>
          contentOf(a) === contentOf(b)
            ? (order.get(a) ?? 0) - (order.get(b) ?? 0)
            : contentOf(a) < contentOf(b)
              ? -1
              : 1,
        );
        expect(short(diff(shuffled)).sort()).toEqual(short(diff(rows)).sort());
      },
    ),
  );
});

test('W6 again, after it was done, is nothing to do', () => {
  fc.assert(fc.property(files, (listed) => expect(diff(differing(listed, listed))).toEqual([])));
});
