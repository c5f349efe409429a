import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAllowedRoots } from '../../../adapters/files/allowed-roots.ts';

let base: string;
beforeAll(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-roots-')));
  for (const folder of ['root/notes', 'rooted', 'outside/secret']) mkdirSync(join(base, folder), { recursive: true });
  writeFileSync(join(base, 'root/file.md'), 'x');
  symlinkSync(join(base, 'outside'), join(base, 'root/leak'));
  symlinkSync('../../outside/secret', join(base, 'root/notes/up'));
  symlinkSync('notes', join(base, 'root/within'));
  symlinkSync(join(base, 'root'), join(base, 'alias'));
});
afterAll(() => rmSync(base, { recursive: true }));

const obstacle = (path: string, roots = ['root']) =>
  createAllowedRoots(roots.map((root) => join(base, root))).obstacle(join(base, path));

test.each([
  ['root', null],
  ['root/notes', null],
  ['root/within', null],
  ['root/leak', 'outside'],
  ['root/leak/secret', 'outside'],
  ['root/notes/up', 'outside'],
  ['rooted', 'outside'],
  ['outside/secret', 'outside'],
  ['outside/nothing', 'outside'],
  ['root/nothing', 'missing'],
  ['root/file.md/x', 'missing'],
  ['root/file.md', 'not_a_folder'],
])('W3 of the folder %s: %s', async (path, expected) => {
  expect(await obstacle(path)).toBe(expected);
});

test('W3 a root that is a link allows what it leads to, by both names; one that is not there allows nothing', async () => {
  expect(await obstacle('alias/notes', ['alias'])).toBeNull();
  expect(await obstacle('root/notes', ['alias'])).toBeNull();
  expect(await obstacle('alias/leak', ['alias'])).toBe('outside');
  expect(await obstacle('root/notes', ['none'])).toBe('outside');
  expect(await obstacle('none/notes', ['none'])).toBe('missing');
  expect(await obstacle('outside/secret', [])).toBe('outside');
});
