import { createHash } from 'node:crypto';
import { pathToFileURL } from 'node:url';
import type { QdrantServer } from '../../support/qdrant.ts';
import { errorOf, headersOf, type Answer } from './ask.ts';
import { expectRefusal, ground, sharedCollection, type Config, type Point } from './ground.ts';
import { eventually } from './snapshots.ts';

const config: Config = {
  vectors: { dense: { size: 4, distance: 'Cosine' } },
  sparse_vectors: { words: { modifier: 'idf' } },
  on_disk_payload: false,
};
const points: Point[] = [1, 2, 3].map((id) => ({
  id,
  vector: { dense: [id, 0, 0, 1], words: { indices: [id], values: [1] } },
  payload: { n: id, word: `w${id}` },
}));

interface Source {
  readonly collection: string;
  readonly snapshot: string;
  readonly checksum: string;
}
interface Options {
  readonly checksum?: string;
  readonly priority?: string;
  readonly wait?: boolean;
}
type Way = (source: Source, target: string, options?: Options) => Promise<Answer>;

export function describeRecover(server: QdrantServer): void {
  const byFile = server.snapshotsPath !== null;
  describe(`recovering${byFile ? '' : ' (not by file: QDRANT_SNAPSHOTS_PATH is not given)'}`, () => {
    const { client, ask, collection, name } = ground(server);

    const download = async ({ collection: from, snapshot }: Source): Promise<Buffer> => {
      const path = `${server.url}/collections/${from}/snapshots/${snapshot}`;
      return Buffer.from(await (await fetch(path, { headers: headersOf(server) })).arrayBuffer());
    };
    const upload = (
      bytes: Uint8Array,
      target: string,
      options: Options = {},
      field = 'snapshot',
      file = 'given.snapshot',
    ) => {
      const query = new URLSearchParams(
        Object.entries(options).map(([key, value]): [string, string] => [key, String(value)]),
      );
      const body = new FormData();
      body.set(field, new Blob([new Uint8Array(bytes)]), file);
      return ask('POST', `${target}/snapshots/upload?${query.toString()}`, { body });
    };
    const recoverFrom = (location: string, target: string, { wait, ...rest }: Options = {}, api_key = server.apiKey) =>
      ask('PUT', `${target}/snapshots/recover${wait === undefined ? '' : `?wait=${wait}`}`, {
        body: { location, ...rest, ...(api_key === null ? {} : { api_key }) },
      });
    const urlOf = ({ collection: of, snapshot }: Source) => `${server.url}/collections/${of}/snapshots/${snapshot}`;

    const ways: [string, Way][] = [
      ['upload', async (from, target, options) => upload(await download(from), target, options)],
      ['URL', (of, target, options) => recoverFrom(urlOf(of), target, options)],
    ];
    if (server.snapshotsPath !== null) {
      const root = server.snapshotsPath;
      ways.push([
        'file',
        ({ collection: of, snapshot }, target, options) =>
          recoverFrom(pathToFileURL(`${root}/${of}/${snapshot}`).href, target, options),
      ]);
    }

    /** A snapshot of `points`, with an index. */
    const snapshotOf = async (made: string): Promise<Source> => {
      await client.createPayloadIndex(made, { field_name: 'word', field_schema: 'keyword', wait: true });
      const snapshot = await client.createSnapshot(made);
      return { collection: made, snapshot: snapshot?.name ?? '', checksum: snapshot?.checksum ?? '' };
    };
    const ownSource = async (): Promise<Source> => snapshotOf(await collection(config, points));
    const original = sharedCollection(server, config, points);
    let source: Source;
    beforeAll(async () => (source = await snapshotOf(original())));
    const idsOf = async (made: string) => (await client.scroll(made)).points.map(({ id }) => id);
    const four = [4, 5, 6, 7].map((id) => ({ id, vector: {} }));

    describe.each(ways)('by %s', (_, recover) => {
      test('to a name that is not there: points, vectors, configuration and indexes are made', async () => {
        const target = name();
        const answer = await recover(source, target);
        expect(answer.body).toMatchObject({ status: 'ok', result: true });
        const all = { ids: [1, 2, 3], with_vector: true };
        await expect(client.retrieve(target, all)).resolves.toEqual(await client.retrieve(source.collection, all));
        const [told, expected] = [await client.getCollection(target), await client.getCollection(source.collection)];
        expect(told.config).toEqual(expected.config);
        expect(told.payload_schema).toEqual({ word: { data_type: 'keyword', points: 3 } });
      });

      test('what was recovered is found, and takes writes', async () => {
        const target = name();
        await recover(source, target);
        const filter = { must: [{ key: 'word', match: { value: 'w2' } }] };
        const { points: found } = await client.query(target, { query: [1, 0, 0, 1], using: 'dense', filter });
        expect(found.map(({ id }) => id)).toEqual([2]);
        await client.upsert(target, { points: four, wait: true });
        await expect(client.count(target)).resolves.toEqual({ count: 7 });
      });

      test('over one that is there: its points are replaced', async () => {
        const target = await collection(config, four);
        expect((await recover(source, target)).status).toBe(200);
        await expect(idsOf(target)).resolves.toEqual([1, 2, 3]);
      });

      test('over itself, changed meanwhile: it is as it was', async () => {
        const own = await ownSource();
        await client.delete(own.collection, { points: [1], wait: true });
        await client.setPayload(own.collection, { payload: { n: 99 }, points: [2], wait: true });
        expect((await recover(own, own.collection)).status).toBe(200);
        const got = await client.retrieve(own.collection, { ids: [1, 2, 3] });
        expect(got).toEqual(points.map(({ id, payload }) => ({ id, payload })));
      });

      test('to an alias: its collection is replaced, and the alias stays', async () => {
        const [target, alias] = [await collection(config, four), name()];
        await client.updateCollectionAliases({
          actions: [{ create_alias: { alias_name: alias, collection_name: target } }],
        });
        expect((await recover(source, alias)).status).toBe(200);
        await expect(idsOf(target)).resolves.toEqual([1, 2, 3]);
        expect((await client.getCollectionAliases(target)).aliases).toHaveLength(1);
      });

      test('aliases do not travel with a snapshot', async () => {
        const [made, alias, target] = [await collection(config, points), name(), name()];
        await client.updateCollectionAliases({
          actions: [{ create_alias: { alias_name: alias, collection_name: made } }],
        });
        const snapshot = await client.createSnapshot(made);
        await recover({ collection: made, snapshot: snapshot?.name ?? '', checksum: '' }, target);
        await expect(client.getCollectionAliases(target)).resolves.toEqual({ aliases: [] });
      });

      test('with its checksum', async () => {
        const target = name();
        expect((await recover(source, target, { checksum: source.checksum })).status).toBe(200);
        await expect(idsOf(target)).resolves.toEqual([1, 2, 3]);
      });

      test('with another checksum: 400, and nothing changes', async () => {
        const target = await collection(config, four);
        const checksum = createHash('sha256').update('another').digest('hex');
        expectRefusal(await recover(source, target, { checksum }), 400, /checksum mismatch/i);
        await expect(idsOf(target)).resolves.toEqual([4, 5, 6, 7]);
      });

      test('with another checksum, to a name that is not there: 400, and it stays so', async () => {
        const target = name();
        const checksum = createHash('sha256').update('another').digest('hex');
        expectRefusal(await recover(source, target, { checksum }), 400, /checksum mismatch/i);
        await expect(client.collectionExists(target)).resolves.toEqual({ exists: false });
      });

      test('over one of other vectors: 400, and nothing changes', async () => {
        const other = { vectors: { dense: { size: 3, distance: 'Cosine' } } } as const;
        const target = await collection(other, four);
        expectRefusal(await recover(source, target), 400, /not compatible with existing collection/);
        await expect(idsOf(target)).resolves.toEqual([4, 5, 6, 7]);
      });

      test.each(['snapshot', 'replica', 'no_sync'])('with the priority %s', async (priority) => {
        const target = name();
        expect((await recover(source, target, { priority })).status).toBe(200);
        await expect(idsOf(target)).resolves.toEqual([1, 2, 3]);
      });

      test('without waiting: accepted, no result, and there soon', async () => {
        const target = name();
        const answer = await recover(source, target, { wait: false });
        expect(answer.status).toBe(202);
        expect(answer.body).toEqual({ status: 'accepted', time: expect.any(Number) as number });
        const there = async () => (await client.count(target).catch(() => ({ count: 0 }))).count === 3;
        await expect(eventually(there)).resolves.toBe(true);
      });
    });

    test('through the client, by URL', async () => {
      const target = name();
      const request = { location: urlOf(source), checksum: source.checksum, priority: 'snapshot' } as const;
      await expect(client.recoverSnapshot(target, { ...request, api_key: server.apiKey ?? '' })).resolves.toBe(true);
      await expect(client.count(target)).resolves.toEqual({ count: 3 });
    });

    test('what was uploaded stays in the list, without a checksum', async () => {
      const target = name();
      const bytes = await download(source);
      await upload(bytes, target);
      const [listed, ...others] = await client.listSnapshots(target);
      expect([listed, others]).toMatchObject([{ name: 'given.snapshot', size: bytes.length }, []]);
      expect(listed).not.toHaveProperty('checksum');
    });

    test('a file name with a path is cut to its name', async () => {
      const target = name();
      await upload(await download(source), target, {}, 'snapshot', '../../../given.snapshot');
      expect((await client.listSnapshots(target)).map((each) => each.name)).toEqual(['given.snapshot']);
    });

    test('junk is refused with 500, and nothing changes', async () => {
      const target = await collection(config, four);
      const answer = await upload(Buffer.from('no snapshot at all '.repeat(100)), target);
      expect(answer.status).toBe(500);
      expect(errorOf(answer)).toEqual(expect.any(String));
      await expect(idsOf(target)).resolves.toEqual([4, 5, 6, 7]);
    });

    test('one that is cut off is refused, and nothing changes', async () => {
      const target = await collection(config, four);
      const bytes = await download(source);
      const answer = await upload(bytes.subarray(0, Math.floor(bytes.length / 2)), target);
      expect(answer.status).toBeGreaterThanOrEqual(400);
      await expect(idsOf(target)).resolves.toEqual([4, 5, 6, 7]);
    });

    test('an upload under another field: 400 in plain text', async () => {
      const answer = await upload(Buffer.from('x'), name(), {}, 'file');
      expect([answer.status, answer.body]).toEqual([400, undefined]);
      expect(answer.text).not.toBe('');
    });

    test('an upload that is no form: 4xx in plain text', async () => {
      const answer = await ask('POST', `${name()}/snapshots/upload`, { body: '{}' });
      expect([400, 415]).toContain(answer.status);
      expect(answer.body).toBeUndefined();
    });

    test.each<[string, unknown, number, RegExp]>([
      ['no location', {}, 400, /^Format error/],
      ['a location that is no URL', { location: 'somewhere' }, 400, /^Format error/],
      ['a scheme that nobody knows', { location: 'gopher://127.0.0.1/x' }, 400, /not supported/],
      ['an unknown priority', { location: 'file:///x', priority: 'high' }, 400, /^Format error/],
      ['a malformed checksum', { location: 'file:///x', checksum: 'abc' }, 422, /^Validation error in JSON body/],
      ['a file that is not there', { location: 'file:///nothing/at/all.snapshot' }, 400, /does not exist/],
      ['a file of another host', { location: 'file://elsewhere/x.snapshot' }, 400, /Invalid snapshot URI/],
      [
        'a file outside the snapshots',
        { location: 'file:///etc/passwd' },
        403,
        /must be inside the snapshots directory/,
      ],
      ['a URL that nobody answers', { location: 'http://127.0.0.1:9/x.snapshot' }, 500, /./],
    ])('%s is refused, and no collection is made', async (_, body, status, message) => {
      const target = name();
      expectRefusal(await ask('PUT', `${target}/snapshots/recover`, { body }), status, message);
      await expect(client.collectionExists(target)).resolves.toEqual({ exists: false });
    });

    test('a URL that answers 404: 400', async () => {
      const made = await collection(config);
      expectRefusal(
        await recoverFrom(`${server.url}/collections/${made}/snapshots/nothing.snapshot`, name()),
        400,
        /404/,
      );
    });

    test('over and over, each time it is all there', async () => {
      const target = name();
      for (let i = 0; i < 3; i += 1) {
        expect((await recoverFrom(urlOf(source), target)).status).toBe(200);
        await expect(idsOf(target)).resolves.toEqual([1, 2, 3]);
      }
    });
  });
}
