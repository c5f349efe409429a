import type { Schemas } from '@qdrant/js-client-rest';
import type { QdrantServer } from '../../support/qdrant.ts';
import { ask } from './ask.ts';
import { expectRefusal, expectRefused, ground, size4 } from './ground.ts';

export function describeAliases(server: QdrantServer): void {
  describe('aliases', () => {
    const { client, name, collection } = ground(server);
    const change = (...actions: Schemas['AliasOperations'][]) => client.updateCollectionAliases({ actions });
    const create = (alias_name: string, collection_name: string) => ({ create_alias: { alias_name, collection_name } });
    const remove = (alias_name: string) => ({ delete_alias: { alias_name } });
    const rename = (old_alias_name: string, new_alias_name: string) => ({
      rename_alias: { old_alias_name, new_alias_name },
    });
    /** Collections by the names given, of all that have aliases. */
    const targets = async (...names: string[]): Promise<Record<string, string>> => {
      const { aliases } = await client.getAliases();
      const ours = aliases.filter(({ alias_name }) => names.includes(alias_name));
      return Object.fromEntries(ours.map(({ alias_name, collection_name }) => [alias_name, collection_name]));
    };

    test('one is made and listed, for all and for its collection', async () => {
      const [made, alias] = [await collection(), name()];
      await expect(change(create(alias, made))).resolves.toBe(true);
      const entry = { alias_name: alias, collection_name: made };
      expect((await client.getAliases()).aliases).toContainEqual(entry);
      await expect(client.getCollectionAliases(made)).resolves.toEqual({ aliases: [entry] });
    });

    test('points are written and read by it', async () => {
      const [made, alias] = [await collection(), name()];
      await change(create(alias, made));
      await client.upsert(alias, { points: [{ id: 1, vector: [1, 0, 0, 0], payload: { a: 1 } }], wait: true });
      await client.setPayload(alias, { payload: { b: 2 }, points: [1], wait: true });
      await client.createPayloadIndex(alias, { field_name: 'a', field_schema: 'integer', wait: true });
      await expect(client.retrieve(made, { ids: [1] })).resolves.toEqual([{ id: 1, payload: { a: 1, b: 2 } }]);
      const { points } = await client.query(alias, { query: [1, 0, 0, 0] });
      expect(points.map(({ id }) => id)).toEqual([1]);
      expect((await client.getCollection(made)).payload_schema).toHaveProperty('a');
    });

    test('a collection can have several', async () => {
      const [made, one, two] = [await collection(), name(), name()];
      await change(create(one, made), create(two, made));
      const { aliases } = await client.getCollectionAliases(made);
      expect(aliases.map(({ alias_name }) => alias_name).sort()).toEqual([one, two].sort());
    });

    test('making one that exists moves it', async () => {
      const [old, fresh, alias] = [await collection(), await collection(), name()];
      await change(create(alias, old));
      await change(create(alias, fresh));
      await expect(targets(alias)).resolves.toEqual({ [alias]: fresh });
    });

    test('deleted and made again in one request, it moves', async () => {
      const [old, fresh, alias] = [await collection(), await collection(), name()];
      await change(create(alias, old));
      await change(remove(alias), create(alias, fresh));
      await expect(targets(alias)).resolves.toEqual({ [alias]: fresh });
    });

    test('renaming keeps the collection', async () => {
      const [made, before, after] = [await collection(), name(), name()];
      await change(create(before, made));
      await expect(change(rename(before, after))).resolves.toBe(true);
      await expect(targets(before, after)).resolves.toEqual({ [after]: made });
    });

    test('renaming onto one that exists replaces it', async () => {
      const [one, two, a, b] = [await collection(), await collection(), name(), name()];
      await change(create(a, one), create(b, two));
      await change(rename(a, b));
      await expect(targets(a, b)).resolves.toEqual({ [b]: one });
    });

    test('deleting one that is not there is true', async () => {
      await expect(change(remove(name()))).resolves.toBe(true);
    });

    test('no actions at all are true', async () => {
      await expect(change()).resolves.toBe(true);
    });

    test('renaming one that is not there: 404', async () => {
      await expectRefused(change(rename(name(), name())), 404, /Alias .* does not exist/i);
    });

    test('one to a collection that is not there: 404', async () => {
      await expectRefused(change(create(name(), name())), 404, /doesn't exist/);
    });

    test('one to an alias: 404', async () => {
      const [made, alias] = [await collection(), name()];
      await change(create(alias, made));
      await expectRefused(change(create(name(), alias)), 404, /doesn't exist/);
    });

    test('one that is named like a collection: 409', async () => {
      const [one, two] = [await collection(), await collection()];
      await expectRefused(change(create(one, two)), 409, /already exists/);
    });

    test('actions before one that fails stay, those after it are not done', async () => {
      const [made, before, after] = [await collection(), name(), name()];
      const work = change(create(before, made), create(name(), name()), create(after, made));
      await expectRefused(work, 404, /doesn't exist/);
      await expect(targets(before, after)).resolves.toEqual({ [before]: made });
    });

    test('an action that nobody knows: 400', async () => {
      const body = { actions: [{ swap_alias: { alias_name: 'a' } }] };
      expectRefusal(await ask(server, 'POST', '/collections/aliases', { body }), 400, /^Format error in JSON body/);
    });

    test('an action without its collection: 400', async () => {
      const body = { actions: [{ create_alias: { alias_name: name() } }] };
      expectRefusal(await ask(server, 'POST', '/collections/aliases', { body }), 400, /^Format error in JSON body/);
    });

    test('they go with their collection', async () => {
      const [made, alias] = [await collection(), name()];
      await change(create(alias, made));
      await client.deleteCollection(made);
      await expect(targets(alias)).resolves.toEqual({});
      await expectRefused(client.count(alias), 404, /doesn't exist/);
    });

    test('an alias has none, and neither has a collection that is not there', async () => {
      const [made, alias] = [await collection(), name()];
      await change(create(alias, made));
      await expect(client.getCollectionAliases(alias)).resolves.toEqual({ aliases: [] });
      await expect(client.getCollectionAliases(name())).resolves.toEqual({ aliases: [] });
    });

    test('readers never see a gap while one is moved back and forth', async () => {
      const one = await collection(size4, [{ id: 1, vector: [1, 0, 0, 0] }]);
      const two = await collection(size4, [{ id: 2, vector: [1, 0, 0, 0] }]);
      const alias = name();
      await change(create(alias, one));
      const moves = { done: false };
      const move = async (): Promise<void> => {
        for (let i = 0; i < 20; i += 1) await change(remove(alias), create(alias, i % 2 === 0 ? two : one));
        moves.done = true;
      };
      const read = async (): Promise<number[]> => {
        const counts: number[] = [];
        while (!moves.done) counts.push((await client.count(alias)).count);
        return counts;
      };
      const [, ...counts] = await Promise.all([move(), read(), read()]);
      expect(new Set(counts.flat())).toEqual(new Set([1]));
    });
  });
}
