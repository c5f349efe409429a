import { MockActivityEnvironment } from '@temporalio/testing';
import { appendFileSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { createPullActivities, type PullDeps } from '../../activities/pull.ts';
import { writeManifest } from '../../adapters/backup/manifest-file.ts';
import { createPoints } from '../../adapters/backup/points.ts';
import { openSigningKey, readTrustedKeys } from '../../adapters/backup/signing-key.ts';
import { readLocalPoint } from '../../adapters/offsite/local-point.ts';
import { openTarget } from '../../adapters/offsite/open-target.ts';
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

test('B5 a disk of this box that is full is said at once, and is not tried again until it is fuller still', async () => {
  const [root, secrets, far] = ['small', 'keys', 'far'].map((name) => join(folder.path, name)) as [
    string,
    string,
    string,
  ];
  for (const each of [secrets, far]) mkdirSync(each);
  const { stamp, folder: point } = writePoint(join(folder.path, 'points'), { bytes: 100_000 });
  const { manifest } = JSON.parse(readFileSync(join(point, 'manifest.json'), 'utf8')) as SignedManifest;
  await writeManifest(point, manifest, await openSigningKey(secrets));
  const spec = { kind: 'directory' as const, path: far };
  const open = (signal: AbortSignal) =>
    openTarget({ spec, id: randomUUID() }, { env: process.env, scratch: join(folder.path, 'scratch'), signal });
  const target = await open(new AbortController().signal);
  await target.prepare();
  await target.put(await readLocalPoint(point));
  const points = createPoints(root);
  const members = join(points.folderOf(stamp, 'partial'), 'members');
  mkdirSync(members, { recursive: true });
  symlinkSync('/dev/full', join(members, `.partial-${manifest.members[0]?.name ?? ''}`));
  const { fetchPoint } = createPullActivities({
    points,
    trusted: () => readTrustedKeys(secrets),
    offsite: { find: async () => ({ name: 'nas' }) },
    openTarget: async () => target,
    tidy: async () => undefined,
  } as unknown as PullDeps);
  const pulling = new MockActivityEnvironment().run(() => fetchPoint('run', 'nas', stamp));
  await expect(pulling).rejects.toMatchObject({ type: 'NoRoom', message: expect.stringContaining('ENOSPC') as string });
});
