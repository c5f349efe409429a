import { mkdirSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { readLocalPoint } from '../../../adapters/offsite/local-point.ts';
import { openTarget } from '../../../adapters/offsite/open-target.ts';
import { targetSpecSchema } from '../../../domain/offsite/spec.ts';
import { writePoint } from '../../support/offsite-point.ts';
import { createFolder } from '../../support/own-home.ts';
import { startSshServer } from '../../support/ssh-server.ts';
import { targetContract } from './contract.ts';

targetContract('rsync');

test('B4 B5 an account of rrsync is enough; one that may delete nothing is refused in its words, and the copy stays whole', async () => {
  const folder = createFolder();
  const far = join(folder.path, 'far');
  mkdirSync(join(far, 'points'), { recursive: true });
  const server = await startSshServer(join(folder.path, 'ssh'));
  server.allow(`rrsync -no-del ${far}`);
  const spec = targetSpecSchema.parse({
    ...{ kind: 'rsync', host: '127.0.0.1', port: server.port, user: server.user, path: 'points' },
    ...{ host_keys: server.hostKeys, identity_file: server.identityFile },
  });
  const around = { env: process.env, scratch: join(folder.path, 'scratch'), signal: new AbortController().signal };
  const id = randomUUID();
  const target = await openTarget({ spec, id }, around);
  try {
    await target.prepare();
    const point = await readLocalPoint(writePoint(join(folder.path, 'points'), { bytes: 100_000 }).folder);
    await target.put(point);
    await expect(target.remove(point)).rejects.toMatchObject({
      ...{ name: 'OffsiteTrouble', kind: 'refused', message: expect.stringContaining('disabled') as string },
    });
    expect((await target.readBack(point)).filter(({ ok }) => !ok)).toEqual([]);
    server.allow(`rrsync ${far}`);
    const again = await openTarget({ spec, id }, around);
    await again.remove(point);
    expect(await again.list()).toEqual([]);
    await again.close();
  } finally {
    await target.close();
    await server.stop();
    folder.remove();
  }
});
