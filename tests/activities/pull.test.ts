import { MockActivityEnvironment } from '@temporalio/testing';
import { appendFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createPullActivities, type PullDeps } from '../../activities/pull.ts';
import { writeManifest } from '../../adapters/backup/manifest-file.ts';
import { createPoints } from '../../adapters/backup/points.ts';
import { openSigningKey, readTrustedKeys } from '../../adapters/backup/signing-key.ts';
import type { SignedManifest } from '../../domain/backup/manifest.ts';
import { writePoint } from '../support/offsite-point.ts';
import { createFolder } from '../support/own-home.ts';

const folder = createFolder();
afterAll(() => folder.remove());

test('B5 a point that is here already is pulled when it is whole, and said to be damaged when it is not', async () => {
  const [root, secrets] = [join(folder.path, 'backups'), join(folder.path, 'secrets')];
  mkdirSync(secrets);
  const { stamp, folder: point } = writePoint(root, { bytes: 1_000 });
  const { manifest } = JSON.parse(readFileSync(join(point, 'manifest.json'), 'utf8')) as SignedManifest;
  await writeManifest(point, manifest, await openSigningKey(secrets));
  const { fetchPoint } = createPullActivities({
    points: createPoints(root),
    trusted: () => readTrustedKeys(secrets),
    offsite: { find: async () => ({ name: 'nas' }) },
    openTarget: async () => ({ close: async () => undefined }),
  } as unknown as PullDeps);
  const pull = () => new MockActivityEnvironment().run(() => fetchPoint('run', 'nas', stamp));

  expect(await pull()).toMatchObject({ ok: true, reason: 'it is here already' });
  appendFileSync(join(point, 'members', 'files-staged.tar.zst'), 'x');
  expect(await pull()).toMatchObject({ ok: false, reason: 'member.bytes files-staged.tar.zst: 1 bytes, not 0' });
});
