import fc from 'fast-check';
import { posix } from 'node:path';
import { collisionKey, pathObstacle } from '../../../domain/source/path.ts';
import { demandRoom, inWords } from '../../../domain/source/room.ts';

test.each(['a', 'a/b.md', 'ä/ö ü.md', '...', 'a/..b', 'a..', '.hidden', 'con', 'ab:c', '\u{1F600}.md'])(
  'W3 %s is a path within a source',
  (path) => {
    expect(pathObstacle(path)).toBeNull();
  },
);

test.each([
  '',
  '/',
  '/a',
  'a/',
  'a//b',
  '.',
  '..',
  './a',
  'a/./b',
  'a/..',
  '../a',
  'C:/a',
  'c:a',
  'a\\b',
  'a\0b',
  'a\nb',
  'a\u0085b',
  '\ud800',
  'x'.repeat(1_501),
])('W3 %j is none', (path) => {
  expect(pathObstacle(path)).not.toBeNull();
});

test('W3 whatever is taken for a path stays inside the folder that it is joined to, and is its own shortest form', () => {
  const part = fc.oneof(fc.constantFrom('..', '.', '', '/', '\\', 'a', '...', 'C:'), fc.string({ unit: 'binary' }));
  fc.assert(
    fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
      const path = parts.join('/');
      if (pathObstacle(path) !== null) return;
      const joined = posix.join('/srv/folder', path);
      expect(joined).toBe(`/srv/folder/${path}`);
      expect(posix.relative('/srv/folder', joined)).toBe(path);
    }),
    { numRuns: 5_000 },
  );
});

test('W3 names that some file system takes for one share a key, and only those', () => {
  for (const [one, other] of [
    ['A', 'a'],
    ['\u00e4', 'a\u0308'],
    ['STRASSE', 'straße'],
    ['\u1e9e', 'ss'],
    ['\u212a', 'k'],
  ])
    expect(collisionKey(one ?? '')).toBe(collisionKey(other ?? ''));
  expect(collisionKey('a/b')).not.toBe(collisionKey('a_b'));
});

test('W3 what does not fit on the disk is refused with both figures; a gigabyte stays free', () => {
  expect(() => demandRoom('It', 200e9, 10e9)).toThrow(
    /It needs 200 GB and 10\.0 GB are free, of which 1\.1 GB stay free/,
  );
  const kept = 1_073_741_824;
  expect(() => demandRoom('It', 1, kept)).toThrow(/1 bytes/);
  demandRoom('It', 1, kept + 1);
  demandRoom('It', 0, 0);
  expect([0, 999, 1_000, 1_500_000, 123e6, 5e15].map(inWords)).toEqual([
    '0 bytes',
    '999 bytes',
    '1.0 kB',
    '1.5 MB',
    '123 MB',
    '5000 TB',
  ]);
});
