import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { createFileSides } from '../../../adapters/restore/file-sides.ts';
import { readJournal, writeJournal } from '../../../adapters/restore/journal.ts';
import { createReplacement } from '../../../adapters/restore/replace-contents.ts';
import type { OpenedPoint } from '../../../adapters/restore/point.ts';
import { createFolder } from '../../support/own-home.ts';

const folder = createFolder();
afterAll(() => folder.remove());
const never = new AbortController().signal;

test('B6 B7 a worker that died while it deleted what was put back: the next one deletes the rest', async () => {
  const root = join(folder.path, 'data');
  mkdirSync(root);
  writeFileSync(join(root, 'file'), 'old');
  const set = { name: 'data', member: 'data.tar', service: 'web', root, files: 1, bytes: 3, sqlite: [] };
  const members = [{ name: set.member, plain: { bytes: 3 } }];
  const point = { manifest: { file_sets: [set], members }, reader: { open: () => Readable.from(['new']) } };
  const sides = createFileSides({
    openPoint: async () => point as unknown as OpenedPoint,
    unpack: async (_plain, into) => {
      writeFileSync(join(into, 'file'), 'new');
      return { files: 1, bytes: 3 };
    },
    checkSqlite: async () => undefined,
  });
  const ref = { restore_id: '0a1b2c3d-0000-4000-8000-000000000000', stamp: 'any', lock_token: null };
  await sides.unpack(ref, 'data', { signal: never, beat: () => undefined });
  await sides.replace(ref, 'data');
  await sides.undo(ref, 'data');
  const { workFolder } = createReplacement(root, ref.restore_id);
  const journal = await readJournal(workFolder);
  if (journal === null) throw new Error('It was never begun');
  await writeJournal(workFolder, { ...journal, state: 'finishing' });

  await sides.drop(ref, 'restored');
  expect(readdirSync(root)).toEqual(['file']);
  expect(readFileSync(join(root, 'file'), 'utf8')).toBe('old');
  await sides.drop(ref, 'restored');
});
