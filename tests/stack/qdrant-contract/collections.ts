import { request } from 'node:http';
import type { QdrantServer } from '../../support/qdrant.ts';
import { ask, headersOf, resultOf } from './ask.ts';
import { expectRefusal, expectRefused, ground, size4, type Config } from './ground.ts';

export function describeCollections(server: QdrantServer): void {
  describe('collections', () => {
    const { client, name, collection, ask: askCollection } = ground(server);
    const create = (body: unknown, path = name()) => askCollection('PUT', path, { body });

    test('creating one is true, and it is listed', async () => {
      const made = name();
      await expect(client.createCollection(made, size4)).resolves.toBe(true);
      const { collections } = await client.getCollections();
      expect(collections).toContainEqual({ name: made });
    });

    test('creating one that exists: 409, and it stays as it is', async () => {
      const made = await collection(size4, [{ id: 1, vector: [1, 0, 0, 0] }]);
      await expectRefused(client.createCollection(made, size4), 409, /^Wrong input: Collection `.*` already exists!$/);
      expect((await client.count(made)).count).toBe(1);
    });

    test('exists says true, false, and true of an alias, always with 200', async () => {
      const made = await collection();
      const alias = name();
      await client.updateCollectionAliases({
        actions: [{ create_alias: { collection_name: made, alias_name: alias } }],
      });
      await expect(client.collectionExists(made)).resolves.toEqual({ exists: true });
      await expect(client.collectionExists(name())).resolves.toEqual({ exists: false });
      await expect(client.collectionExists(alias)).resolves.toEqual({ exists: true });
    });

    test('deleting one is true, and it is gone', async () => {
      const made = await collection();
      await expect(client.deleteCollection(made)).resolves.toBe(true);
      await expectRefused(client.getCollection(made), 404, /doesn't exist/);
    });

    test('deleting one that is not there: 200 and false', async () => {
      const answer = await askCollection('DELETE', name());
      expect(answer.status).toBe(200);
      expect(answer.body).toMatchObject({ result: false, status: 'ok' });
    });

    test('deleting by the name of an alias is false and deletes nothing', async () => {
      const made = await collection();
      const alias = name();
      await client.updateCollectionAliases({
        actions: [{ create_alias: { collection_name: made, alias_name: alias } }],
      });
      await expect(client.deleteCollection(alias)).resolves.toBe(false);
      await expect(client.collectionExists(made)).resolves.toEqual({ exists: true });
      expect((await client.getAliases()).aliases).toContainEqual({ alias_name: alias, collection_name: made });
    });

    test('a name can be taken again after its collection was deleted, and is empty then', async () => {
      const made = await collection(size4, [{ id: 1, vector: [1, 0, 0, 0] }]);
      await client.deleteCollection(made);
      await client.createCollection(made, { vectors: { size: 2, distance: 'Cosine' } });
      expect((await client.count(made)).count).toBe(0);
    });

    test('a name that an alias has: 400', async () => {
      const made = await collection();
      const alias = name();
      await client.updateCollectionAliases({
        actions: [{ create_alias: { collection_name: made, alias_name: alias } }],
      });
      await expectRefused(client.createCollection(alias, size4), 400, /Alias with the same name already exists/);
    });

    test('names with dots, spaces and letters of other scripts are taken', async () => {
      const made = `${name()} with.dots-Ünïcødé`;
      await expect(client.createCollection(made, size4)).resolves.toBe(true);
      try {
        expect((await client.getCollections()).collections).toContainEqual({ name: made });
        await expect(client.count(made)).resolves.toEqual({ count: 0 });
      } finally {
        await client.deleteCollection(made);
      }
    });

    test.each([
      ['a colon', ':'],
      ['a slash', '%2F'],
      ['a backslash', '%5C'],
      ['a question mark', '%3F'],
      ['an asterisk', '*'],
      ['a quotation mark', '%22'],
      ['a less-than sign', '%3C'],
    ])('a name with %s: 422', async (_, character) => {
      expectRefusal(await create(size4, `${name()}${character}x`), 422, /^Validation error in path parameters/);
    });

    test('a name of 256 characters: 422', async () => {
      expectRefusal(await create(size4, 'n'.repeat(256)), 422, /^Validation error in path parameters/);
    });

    test('a name over 255 characters is refused for reading too', async () => {
      expectRefusal(await askCollection('GET', 'n'.repeat(256)), 422, /^Validation error in path parameters/);
    });

    test.each<[string, unknown, number, RegExp]>([
      ['size 0', { vectors: { size: 0, distance: 'Dot' } }, 400, /^Format error in JSON body/],
      ['size over 65536', { vectors: { size: 65_537, distance: 'Dot' } }, 422, /vectors\.size|size/],
      ['a negative size', { vectors: { size: -1, distance: 'Dot' } }, 400, /^Format error in JSON body/],
      ['no distance', { vectors: { size: 4 } }, 400, /^Format error in JSON body/],
      ['an unknown distance', { vectors: { size: 4, distance: 'Hamming' } }, 400, /^Format error in JSON body/],
      ['a distance in lower case', { vectors: { size: 4, distance: 'dot' } }, 400, /^Format error in JSON body/],
      ['an unknown modifier', { sparse_vectors: { s: { modifier: 'bm25' } } }, 400, /^Format error in JSON body/],
      ['ef_construct below 4', { ...size4, hnsw_config: { ef_construct: 3 } }, 422, /hnsw_config\.ef_construct/],
      ['a string for on_disk_payload', { ...size4, on_disk_payload: 'yes' }, 400, /^Format error in JSON body/],
    ])('%s: %#', async (_, body, status, message) => {
      expectRefusal(await create(body), status, message);
    });

    test.each(['.', '..'])('a name that is a folder, %s, makes no collection', async (folder) => {
      expect(await putAsItIs(server, `/collections/${folder}`)).toBeGreaterThanOrEqual(400);
      const { collections } = await client.getCollections();
      expect(collections.map((entry) => entry.name)).not.toContain(folder);
    });

    test('size 65536 is the largest', async () => {
      expect((await create({ vectors: { size: 65_536, distance: 'Dot' } })).status).toBe(200);
    });

    test('timeout=0 is refused for creating and for deleting: 422', async () => {
      const refused = /timeout: value 0 invalid, must be 1 or larger/;
      expectRefusal(await askCollection('PUT', `${name()}?timeout=0`, { body: size4 }), 422, refused);
      expectRefusal(await askCollection('DELETE', `${name()}?timeout=0`), 422, refused);
    });

    test('a collection without any vectors takes points that have none', async () => {
      const made = await collection({}, [{ id: 1, vector: {}, payload: { a: 1 } }]);
      await expect(client.retrieve(made, { ids: [1], with_vector: true })).resolves.toEqual([
        { id: 1, payload: { a: 1 }, vector: {} },
      ]);
    });

    test('the list is of the names and nothing else, each once', async () => {
      const made = await collection();
      const { collections } = resultOf(await ask(server, 'GET', '/collections')) as { collections: { name: string }[] };
      expect(collections.filter((entry) => entry.name === made)).toEqual([{ name: made }]);
    });

    test('what is updated of its parameters is said by its info', async () => {
      const made = await collection();
      await expect(client.updateCollection(made, { hnsw_config: { m: 24 } })).resolves.toBe(true);
      expect((await client.getCollection(made)).config.hnsw_config.m).toBe(24);
    });

    test('eight made and deleted at once do not disturb each other', async () => {
      const config: Config = { vectors: { size: 2, distance: 'Dot' } };
      const names = Array.from({ length: 8 }, () => name());
      const made = await Promise.all(names.map((each) => client.createCollection(each, config)));
      expect(made).toEqual(names.map(() => true));
      const gone = await Promise.all(names.map((each) => client.deleteCollection(each)));
      expect(gone).toEqual(names.map(() => true));
    });
  });
}

/** The status of a path that fetch would tidy up before it is sent. */
function putAsItIs(server: QdrantServer, path: string): Promise<number> {
  const headers = { ...headersOf(server), 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(server.url);
    const sent = request({ hostname, port, path, method: 'PUT', headers }, (answer) => {
      answer.resume().on('end', () => resolve(answer.statusCode ?? 0));
    });
    sent.on('error', reject).end(JSON.stringify(size4));
  });
}
