import { createHash } from 'node:crypto';
import type { QdrantServer } from '../../support/qdrant.ts';
import { ask, headersOf } from './ask.ts';
import { expectRefusal, expectRefused, ground, size4 } from './ground.ts';

export function describeSnapshots(server: QdrantServer): void {
  describe('snapshots', () => {
    const { client, ask: askCollection, collection, name } = ground(server);
    const one = () => collection(size4, [{ id: 1, vector: [1, 0, 0, 0], payload: { a: 1 } }]);
    const download = async (path: string) => {
      const response = await fetch(`${server.url}/collections/${path}`, { headers: headersOf(server) });
      return { response, bytes: Buffer.from(await response.arrayBuffer()) };
    };

    test('one is made, and described by name, time, size and checksum', async () => {
      const made = await one();
      const snapshot = await client.createSnapshot(made);
      expect(snapshot).toEqual({
        name: expect.stringMatching(
          new RegExp(`^${made}-\\d+-\\d{4}-\\d\\d-\\d\\d-\\d\\d-\\d\\d-\\d\\d\\.snapshot$`),
        ) as string,
        creation_time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?$/) as string,
        size: expect.any(Number) as number,
        checksum: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      });
      expect(snapshot?.size).toBeGreaterThan(0);
    });

    test('none are listed before the first, and then what was said of each', async () => {
      const made = await one();
      await expect(client.listSnapshots(made)).resolves.toEqual([]);
      const snapshot = await client.createSnapshot(made);
      await expect(client.listSnapshots(made)).resolves.toEqual([snapshot]);
    });

    test('what is downloaded is a tar of its size and its checksum', async () => {
      const made = await one();
      const snapshot = await client.createSnapshot(made);
      const { response, bytes } = await download(`${made}/snapshots/${snapshot?.name}`);
      expect(response.status).toBe(200);
      expect(bytes.length).toBe(snapshot?.size);
      expect(createHash('sha256').update(bytes).digest('hex')).toBe(snapshot?.checksum);
      expect(bytes.subarray(257, 262).toString()).toBe('ustar');
    });

    test('one is made by an alias, under the real name', async () => {
      const [made, alias] = [await one(), name()];
      await client.updateCollectionAliases({
        actions: [{ create_alias: { alias_name: alias, collection_name: made } }],
      });
      const snapshot = await client.createSnapshot(alias);
      expect(snapshot?.name).toMatch(new RegExp(`^${made}-`));
      await expect(client.listSnapshots(made)).resolves.toEqual([snapshot]);
      await expect(client.listSnapshots(alias)).resolves.toEqual([snapshot]);
    });

    test('without waiting: accepted, no result, and there soon', async () => {
      const made = await one();
      const answer = await askCollection('POST', `${made}/snapshots?wait=false`);
      expect(answer.status).toBe(202);
      expect(answer.body).toEqual({ status: 'accepted', time: expect.any(Number) as number });
      await expect(eventually(async () => (await client.listSnapshots(made)).length === 1)).resolves.toBe(true);
    });

    test('the client throws when it is not to wait', async () => {
      const made = await one();
      await expect(client.createSnapshot(made, { wait: false })).rejects.toThrow(/Unexpected Response: 202/);
      await eventually(async () => (await client.listSnapshots(made)).length === 1);
    });

    test('one is deleted, and then it is not there', async () => {
      const made = await one();
      const snapshot = (await client.createSnapshot(made))?.name ?? '';
      await expect(client.deleteSnapshot(made, snapshot)).resolves.toBe(true);
      await expect(client.listSnapshots(made)).resolves.toEqual([]);
      expect((await download(`${made}/snapshots/${snapshot}`)).response.status).toBe(404);
    });

    test('deleting one that is not there: 404', async () => {
      await expectRefused(client.deleteSnapshot(await one(), 'nothing.snapshot'), 404, /^Not found: Snapshot/);
    });

    test('downloading one that is not there: 404 in plain text', async () => {
      const made = await one();
      await client.createSnapshot(made);
      const answer = await askCollection('GET', `${made}/snapshots/nothing.snapshot`);
      expect(answer.status).toBe(404);
      expect(answer.body).toBeUndefined();
      expect(answer.text).toMatch(/Not found: Snapshot nothing\.snapshot/);
    });

    test.each(['..%2F..%2F..%2F..%2F..%2F..%2Fetc%2Fpasswd', '%2Fetc%2Fpasswd', '..%2Faliases%2Fdata.json'])(
      'nothing but snapshots is downloaded: %s',
      async (path) => {
        const made = await one();
        await client.createSnapshot(made);
        expect((await askCollection('GET', `${made}/snapshots/${path}`)).status).toBe(404);
      },
    );

    test('nothing but snapshots is deleted', async () => {
      const made = await one();
      const answer = await askCollection('DELETE', `${made}/snapshots/..%2F..%2F..%2Fnothing`);
      expect(answer.status).toBeGreaterThanOrEqual(400);
      await expect(client.count(made)).resolves.toEqual({ count: 1 });
    });

    test('they stay when their collection is deleted', async () => {
      const made = await one();
      const snapshot = await client.createSnapshot(made);
      await client.deleteCollection(made);
      await client.createCollection(made, size4);
      await expect(client.listSnapshots(made)).resolves.toEqual([snapshot]);
    });

    test('of a collection that is not there: 404', async () => {
      const missing = name();
      await expectRefused(client.createSnapshot(missing), 404, /doesn't exist/);
      await expectRefused(client.listSnapshots(missing), 404, /doesn't exist/);
      expect((await ask(server, 'GET', `/collections/${missing}/snapshots/x.snapshot`)).status).toBe(404);
    });

    test('a wait that is neither true nor false: 400', async () => {
      const answer = await askCollection('POST', `${await one()}/snapshots?wait=maybe`);
      expectRefusal(answer, 400, /query parameters/);
    });

    test('writing goes on while one is made, and what was acknowledged before is in it', async () => {
      const made = await one();
      const [snapshot] = await Promise.all([
        client.createSnapshot(made),
        client.upsert(made, { points: [{ id: 2, vector: [0, 1, 0, 0] }], wait: true }),
        client.scroll(made),
      ]);
      expect(snapshot?.size).toBeGreaterThan(0);
      await expect(client.count(made)).resolves.toEqual({ count: 2 });
    });
  });
}

/** Whether it came true within ten seconds. */
export async function eventually(check: () => Promise<boolean>): Promise<boolean> {
  const deadline = Date.now() + 10_000;
  while (Date.now() < deadline) {
    if (await check()) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}
