import { readdir } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { captureAll } from '../../../adapters/backup/capture.ts';
import { createPinnedGenerations } from '../../../adapters/backup/pinned-generations.ts';
import { peersOf } from '../../../adapters/backup/qdrant-snapshot.ts';
import { createMemberWriter } from '../../../adapters/backup/sealed-member.ts';
import { against, backupGround, proofOf, quiet, type BackupGround } from '../../support/backup-ground.ts';
import { beginWave, commitCorpus, documentsOf, sweepAll } from '../../support/generations.ts';

let on: BackupGround;
beforeAll(async () => {
  on = await backupGround();
}, 60_000);
afterAll(() => on.close());

test('G7 a wave that writes while the point is taken is not in it, and the point is whole', async () => {
  const { ground, project } = on;
  const { ref } = await beginWave(ground, project);
  await ground.writer.write(ref, documentsOf(project, { 'd.md': ['seven'] }));
  let wrote = false;
  const beat = ({ step }: { step: string }): void => {
    if (step !== 'hash' || wrote) return;
    wrote = true;
    // Between the snapshot of Postgres and the last look at Qdrant.
    written = ground.writer.write(ref, documentsOf(project, { 'e.md': ['eight'] }));
  };
  let written: Promise<unknown> = Promise.resolve();
  const point = await on.take({ beat });
  await written;
  expect(wrote).toBe(true);
  expect(point.draft.generations).toMatchObject([{ project, visible: 2 }]);
  expect(point.draft.collections[0]).toMatchObject({ why: null, points: 5 });
  expect(against(await proofOf(on, point))).toEqual([]);
  expect((await ground.proof.prove(ref)).ok).toBe(true);
  expect((await ground.generations.commit(ref)).ok).toBe(true);
});

test('G7 what is collected meanwhile waits for the pins, which are those of the owner that was named', async () => {
  const { ground, project } = on;
  const pin_owner = 'backup/named';
  await on.take({ pin_owner });
  const visible = (await ground.generations.standing(project))?.visible;
  expect(await ground.pins.list(project)).toMatchObject([{ owner: pin_owner, generation: visible }]);
  await ground.pins.unpin(pin_owner);
});

test('G7 a point whose pin was taken away is none', async () => {
  const { ground } = on;
  const pin_owner = 'backup/lost';
  const beat = ({ step }: { step: string }): void => {
    if (step === 'hash') taken = ground.pins.unpin(pin_owner);
  };
  let taken: Promise<unknown> = Promise.resolve();
  await expect(on.take({ pin_owner, beat })).rejects.toMatchObject({ name: 'PinLost' });
  await taken;
});

test('G7 a commit between the pin and the moment is pinned as well, a rollback asks for another moment', async () => {
  const { ground, project } = on;
  const pinned = createPinnedGenerations({ data: ground.sql, ops: ground.databases.ops }, 'backup/seen');
  await pinned.pinVisible();
  const before = (await ground.generations.standing(project))?.visible ?? 0;
  const number = await commitCorpus(ground, project, { put: { 'f.md': ['nine'] } });
  const seen = [{ project, visible: number, collection: on.collection, identity: 'stub' }];
  expect(await pinned.pinSeen(seen)).toBe(true);
  expect((await ground.pins.list(project)).map(({ generation }) => generation)).toEqual([before, number]);
  expect(await pinned.lost(seen)).toEqual([]);

  // Not pinned, and taken back: it may be swept at any time.
  await ground.pins.unpin('backup/seen');
  expect((await ground.generations.rollBack(project, number)).ok).toBe(true);
  expect(await pinned.pinSeen(seen)).toBe(false);
  await ground.pins.unpin('backup/seen');
  await ground.generations.release(project);
  await sweepAll(ground, project);
});

test('B1 an attempt that is ended leaves no program, no snapshot on Qdrant and no work', async () => {
  const ending = new AbortController();
  const beat = ({ step }: { step: string }): void => {
    if (step === 'copy') ending.abort(new Error('ended from outside'));
  };
  const folder = join(on.folder, 'ended');
  await expect(on.take({ folder, beat, signal: ending.signal })).rejects.toThrow('ended from outside');
  expect(await on.ground.qdrant.listSnapshots(on.collection)).toEqual([]);
  expect((await readdir(join(folder, 'members'))).filter((name) => name.endsWith('.partial'))).toEqual([]);
  // The same folder once more, as the next attempt would have it.
  const writer = createMemberWriter({ folder, recipients: [], env: process.env });
  const deps = { ...on, data: on.ground.sql, ops: on.ground.databases.ops, writer };
  const { facts } = await captureAll(deps, {
    ...quiet,
    folder,
    include_vectors: true,
    fileSets: [],
    pin_owner: 'backup/again',
  });
  await on.ground.pins.unpin('backup/again');
  expect(facts.members).toHaveLength(3);
  expect(await readdir(folder)).toEqual(['members']);
});

test('B1 without programs as new as the server nothing is begun, and it is said which are needed', async () => {
  const folder = join(on.folder, 'no-tools');
  const writer = createMemberWriter({ folder, recipients: [], env: process.env });
  const deps = { ...on, data: on.ground.sql, ops: on.ground.databases.ops, writer, postgresBins: ['/nowhere'] };
  const request = { ...quiet, folder, include_vectors: true, fileSets: [], pin_owner: 'backup/none' };
  await expect(captureAll(deps, request)).rejects.toMatchObject({
    name: 'PostgresToolsMissing',
    message: expect.stringMatching(
      /pg_dump and pg_restore of PostgreSQL \d+ or newer are needed; none is installed/,
    ) as string,
  });
});

test('B1 a Qdrant of more than one peer is known by what it says of its cluster', async () => {
  const answers = [
    { result: { status: 'disabled' } },
    { result: { status: 'enabled', peers: { 1: { uri: 'a' } } } },
    { result: { status: 'enabled', peers: { 1: { uri: 'a' }, 2: { uri: 'b' } } } },
  ];
  const server = createServer((_, response) => void response.end(JSON.stringify(answers.shift())));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const found: number[] = [];
  for (let left = 3; left > 0; left -= 1) found.push(await peersOf({ url, apiKey: null }, quiet.signal));
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  expect(found).toEqual([1, 1, 2]);
});
