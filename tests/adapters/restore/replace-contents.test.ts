import { chmodSync, existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mountsInside, isMountPoint, placeOf } from '../../../adapters/files/mounts.ts';
import { createReplacement } from '../../../adapters/restore/replace-contents.ts';
import { bindMounted, newTree, oldTree, readTree, writeTree, type BindMounted } from './bind-mounted.ts';

const id = '0a1b2c3d-0000-4000-8000-000000000000';
const never = new AbortController().signal;
let bound: BindMounted;
beforeEach(() => {
  bound = bindMounted();
  writeTree(bound.root, oldTree);
});
afterEach(() => bound.close());

async function unpacked() {
  const replacement = createReplacement(bound.root, id);
  writeTree(await replacement.begin(), newTree);
  await replacement.ready(never);
  return replacement;
}

test('B7 B8 the contents of a bind mount are replaced, its inode stays, and nothing old is merged in', async () => {
  const inode = bound.inode();
  expect(await isMountPoint(bound.root)).toBe(true);
  const replacement = await unpacked();
  expect(readTree(bound.root)).toEqual(oldTree);
  await replacement.replace();
  expect(readTree(bound.root)).toEqual(newTree);
  // The same for whoever has it mounted elsewhere; a write-ahead log of the old database is not there to be replayed.
  expect(readTree(bound.source)).toEqual(newTree);
  expect(readdirSync(bound.source)).not.toContain('data.db-wal');
  await replacement.finish();
  expect(readdirSync(bound.root).sort()).toEqual(
    Object.keys(newTree)
      .filter((name) => !name.includes('/'))
      .sort(),
  );
  expect([bound.inode(), await isMountPoint(bound.root)]).toEqual([inode, true]);
});

test('B7 undone while it is held: what was there is there again, whatever was written meanwhile', async () => {
  const replacement = await unpacked();
  await replacement.replace();
  writeFileSync(join(bound.root, 'only-old.txt'), 'written since');
  writeFileSync(join(bound.root, 'written-since.txt'), 'written since');
  await replacement.undo();
  expect(readTree(bound.root)).toEqual(oldTree);
  await replacement.finish();
  expect(readTree(bound.source)).toEqual(oldTree);
  expect(existsSync(replacement.workFolder)).toBe(false);
});

test.each(['finish', 'undo'] as const)(
  'B7 what a file system keeps at its top stays where it is, whatever a point has of that name: %s',
  async (end) => {
    writeTree(bound.root, { 'lost+found/found': 'by fsck' });
    const inode = statSync(join(bound.root, 'lost+found')).ino;
    const replacement = createReplacement(bound.root, id);
    writeTree(await replacement.begin(), { ...newTree, 'lost+found/of-the-point': 'older' });
    await replacement.ready(never);
    await replacement.replace();
    expect(readdirSync(join(bound.root, 'lost+found'))).toEqual(['found']);
    if (end === 'undo') await replacement.undo();
    await replacement.finish();
    expect(readdirSync(join(bound.root, 'lost+found'))).toEqual(['found']);
    expect(statSync(join(bound.root, 'lost+found')).ino).toBe(inode);
    expect(existsSync(join(bound.root, 'only-old.txt'))).toBe(end === 'undo');
  },
);

test('B7 mode and owner of the folder come with its contents, and go back with them', async () => {
  chmodSync(bound.root, 0o755);
  const replacement = createReplacement(bound.root, id);
  const folder = await replacement.begin();
  writeTree(folder, newTree);
  chmodSync(folder, 0o2750);
  await replacement.ready(never);
  const mode = () => (statSync(bound.source).mode & 0o7777).toString(8);
  expect(mode()).toBe('755');
  await replacement.replace();
  expect(mode()).toBe('2750');
  await replacement.undo();
  expect(mode()).toBe('755');
});

test('B7 each call may be repeated, and what was half unpacked begins from nothing', async () => {
  const replacement = createReplacement(bound.root, id);
  writeTree(await replacement.begin(), { 'half.txt': 'half' });
  writeTree(await replacement.begin(), newTree);
  await replacement.ready(never);
  await replacement.ready(never);
  await replacement.replace();
  await replacement.replace();
  expect(readTree(bound.root)).toEqual(newTree);
  await expect(replacement.begin()).rejects.toThrow('replaced already');
  await replacement.undo();
  await replacement.undo();
  await replacement.finish();
  await replacement.finish();
  expect(readTree(bound.root)).toEqual(oldTree);
  expect(await replacement.state()).toBeNull();
});

test('B7 who writes into the folder meanwhile is found out, and loses nothing by the way back', async () => {
  const again = await unpacked();
  // Moved out, and there again: as a service makes it that was not really stopped.
  writeFileSync(join(again.workFolder, 'old', 'same.txt'), 'somebody’s');
  await expect(again.replace()).rejects.toMatchObject({ type: 'FilesInUse' });
  expect(await again.state()).toBe('moving_out');
  await again.undo();
  expect({ ...readTree(bound.root), 'same.txt': '' }).toEqual({ ...oldTree, 'same.txt': '' });
  expect(readdirSync(join(again.workFolder, 'strangers'))).toHaveLength(1);
});

test('B7 mount points within a folder are seen, which could not be moved with it', async () => {
  const inner = bindMounted();
  const outer = join(inner.root, '..');
  expect(await mountsInside(outer)).toEqual([inner.root]);
  expect(await mountsInside(inner.root)).toEqual([]);
  expect(await placeOf(inner.root)).toEqual(await placeOf(inner.source));
  expect(await placeOf(outer)).not.toEqual(await placeOf(inner.source));
  inner.close();
});
