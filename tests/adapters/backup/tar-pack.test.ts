import { createReadStream, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { tarOf, type TarEntry } from '../../../adapters/backup/tar-pack.ts';
import { createFolder } from '../../support/own-home.ts';

const folder = createFolder();
afterAll(() => folder.remove());

test('B1 a file that comes when nobody reads the archive any more is closed: open, it would keep its room on a full disk', async () => {
  const path = join(folder.path, 'late');
  writeFileSync(path, 'late');
  const opened: Readable[] = [];
  let read = (): void => undefined;
  const isRead = new Promise<void>((resolve) => (read = resolve));
  const entries = async function* (): AsyncGenerator<TarEntry> {
    yield { header: { name: 'first', size: 5 }, content: Buffer.from('first') };
    await isRead;
    const content = createReadStream(path);
    opened.push(content);
    yield { header: { name: 'late', size: 4 }, content };
  };
  const tar = tarOf(entries());
  tar.on('error', () => undefined);
  await new Promise((resolve) => tar.once('data', resolve));
  tar.destroy();
  await new Promise((resolve) => tar.once('close', resolve));
  read();
  while (opened[0]?.closed !== true) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(opened[0].destroyed).toBe(true);
}, 5_000);
