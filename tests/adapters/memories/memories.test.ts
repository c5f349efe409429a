import { randomUUID } from 'node:crypto';
import { createLexicalOnly } from '../../../adapters/embeddings/embedder.ts';
import { memoryCollection } from '../../../adapters/memories/collection.ts';
import { connectQdrant } from '../../../adapters/qdrant/connect.ts';
import { createMemoryWorld, newMemory, type MemoryWorld } from './memory-world.ts';

let world: MemoryWorld;
beforeAll(async () => {
  world = await createMemoryWorld();
  await world.project('p04-gigabit');
  await world.project('p05-garden');
});
afterAll(() => world.close());

const away = () => world.with({ qdrant: connectQdrant({ url: 'http://127.0.0.1:1', apiKey: null }) });
const ids = (found: { readonly hits: readonly { readonly id: string }[] }) => found.hits.map(({ id }) => id);
/** Of these, those that were found: by meaning everything is near to some degree. */
async function foundOf(own: readonly string[], search: Parameters<MemoryWorld['search']>[0]): Promise<string[]> {
  return ids(await world.search({ limit: 100, ...search })).filter((id) => own.includes(id));
}

test('C6 what is remembered is a row with its provenance, a vector and a point, and is found by meaning and by words', async () => {
  const provenance = { kind: 'document', uri: 'https://example.org/hall', reference: 'session-7' } as const;
  const made = await world.remember({
    ...{ text: 'The patch panel hangs in the cellar', type: 'knowledge', project: 'p04-gigabit' },
    ...{ provenance, confidence: 0.75 },
  });
  expect(made).toMatchObject({ provenance, confidence: 0.75, actor: 'tester', superseded_by: null, indexed: true });
  expect(await world.points()).toContain(made.id);
  const found = await world.search({ query: 'where is the patch panel', projects: ['p04-gigabit'] });
  expect([ids(found)[0], found.degraded]).toEqual([made.id, []]);
});

test('C6 memories of a project that is not named are not answered; those of no project are, unless they are kept out', async () => {
  const [lan, garden, none] = [
    await world.remember({ text: 'the kettle stands upstairs', project: 'p04-gigabit' }),
    await world.remember({ text: 'the kettle stands outside', project: 'p05-garden' }),
    await world.remember({ text: 'the kettle whistles' }),
  ];
  const found = (search: object) => foundOf([lan.id, garden.id, none.id], { query: 'kettle', ...search });
  expect(await found({})).toEqual([none.id]);
  expect((await found({ projects: ['p05-garden'] })).sort()).toEqual([garden.id, none.id].sort());
  expect(await found({ projects: ['p04-gigabit'], ofNone: false })).toEqual([lan.id]);
  const listed = await world.memories.list({ project: 'p05-garden' }, { limit: 10 });
  expect(listed.map(({ id }) => id)).toEqual([garden.id]);
});

test('C6 types narrow a search; the row decides, also where a point says something else', async () => {
  const liked = await world.remember({ text: 'tea without sugar', type: 'preference' });
  const known = await world.remember({ text: 'sugar dissolves in tea', type: 'knowledge' });
  expect(await foundOf([liked.id, known.id], { query: 'tea sugar', types: ['preference'] })).toEqual([liked.id]);
  const collection = await memoryCollection(world.databases.data);
  const payload = { project: '-', type: 'preference' };
  await world.qdrant.overwritePayload(collection?.name ?? '', { payload, points: [known.id], wait: true });
  expect(await foundOf([liked.id, known.id], { query: 'tea sugar', types: ['preference'] })).toEqual([liked.id]);
});

test('C6 what takes the place of another is found instead of it; of a place that is taken or elsewhere it is refused', async () => {
  const old = await world.remember({ text: 'the router is blue', project: 'p04-gigabit' });
  const text = 'the router is red';
  const next = await world.remember({ text, project: 'p04-gigabit', supersedes: old.id });
  expect(await foundOf([old.id, next.id], { query: 'router', projects: ['p04-gigabit'] })).toEqual([next.id]);
  expect(await world.memories.find(old.id)).toMatchObject({ superseded_by: next.id });
  expect(await world.points()).not.toContain(old.id);

  const again = newMemory({ text, project: 'p04-gigabit', supersedes: old.id });
  expect(await world.memories.create(again, 'tester')).toEqual({ ok: false, reason: 'taken' });
  const elsewhere = newMemory({ text, project: 'p05-garden', supersedes: next.id });
  expect(await world.memories.create(elsewhere, 'tester')).toEqual({ ok: false, reason: 'unknown' });
});

test('C6 what has expired is not found, and is still listed as that', async () => {
  const expires_at = new Date(Date.now() + 400);
  const { id } = await world.remember({ text: 'the parcel comes at noon', expires_at });
  expect(await foundOf([id], { query: 'parcel' })).toEqual([id]);
  while (new Date() <= expires_at) await new Promise((resolve) => setTimeout(resolve, 50));
  expect(await foundOf([id], { query: 'parcel' })).toEqual([]);
  const listed = await world.memories.list({ project: null, state: 'expired' }, { limit: 10 });
  expect(listed.map((memory) => memory.id)).toEqual([id]);
  await world.reconciliation.all(new AbortController().signal);
  expect(await world.points()).not.toContain(id);
});

test('C6 the same id twice is one memory', async () => {
  const memory = newMemory({ text: 'only once' });
  const made = await Promise.all([1, 2, 3].map(() => world.memories.create(memory, 'tester')));
  expect(made.map((one) => one.ok && one.memory.id)).toEqual([memory.id, memory.id, memory.id]);
  const noted = await world.databases.data`select 1 from outbox where data ->> 'id' = ${memory.id}`;
  expect(noted).toHaveLength(1);
});

test('G12 rows first: with Qdrant away a memory is kept, found by words and said to be degraded, and its point follows', async () => {
  const memory = newMemory({ text: 'the anvil is heavy' });
  const created = await away().memories.create(memory, 'tester');
  expect(created).toMatchObject({ ok: true, indexed: false });
  const found = await away().search({ query: 'anvil' });
  expect([ids(found), found.degraded.map(({ reason }) => reason)]).toEqual([
    [memory.id],
    ['not_indexed', 'candidates_unavailable'],
  ]);
  expect(await world.points()).not.toContain(memory.id);
  expect(await world.reconciliation.differs()).toBe(true);
  const done = await world.reconciliation.all(new AbortController().signal);
  expect(done).toMatchObject({ forgotten: 0, put: 1 });
  expect([await world.points(), await world.reconciliation.differs()]).toEqual([
    expect.arrayContaining([memory.id]),
    false,
  ]);
});

test('G12 forgetting leaves a tombstone without the text, and takes row, vector and point', async () => {
  const { id } = await world.remember({ text: 'the wifi password is swordfish', project: 'p04-gigabit' });
  const forgotten = await world.memories.forget(id, { actor: 'tester', reason: 'a secret' });
  expect(forgotten).toMatchObject({ tombstone: { memory: id, reason: 'a secret' }, point: 'removed' });
  expect([await world.memories.find(id), await world.points()]).toEqual([null, expect.not.arrayContaining([id])]);
  const vectors = await world.databases.data`select 1 from memory_vectors where memory = ${id}`;
  expect(vectors).toHaveLength(0);
  for (const sql of [world.databases.ops, world.databases.data]) {
    const tables = await sql<{ name: string }[]>`
      select table_name as name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'`;
    for (const { name } of tables) {
      const [row] = await sql<{ said: string }[]>`
        select count(*) as said from ${sql(name)} t where t::text like '%swordfish%'`;
      expect([name, row?.said]).toEqual([name, '0']);
    }
  }
  // Again, and of what never was.
  expect(await world.memories.forget(id, { actor: 'tester', reason: null })).toMatchObject({ point: 'removed' });
  expect(await world.memories.forget(randomUUID(), { actor: 'tester', reason: null })).toBeNull();
  expect(await world.memories.create(newMemory({ id, text: 'back' }), 'tester')).toMatchObject({ reason: 'forgotten' });
});

test('G12 with Qdrant away forgetting is done all the same: without its row a point is never answered, and it goes later', async () => {
  const { id } = await world.remember({ text: 'the attic key is under the mat' });
  const forgotten = await away().memories.forget(id, { actor: 'tester', reason: null });
  expect(forgotten?.point).toBe('pending');
  expect(await world.points()).toContain(id);
  expect(ids(await world.search({ query: 'attic key' }))).not.toContain(id);
  await world.reconciliation.all(new AbortController().signal);
  expect(await world.points()).not.toContain(id);
});

test('G12 without a model memories are kept and found by words, and say so; the model that comes embeds them', async () => {
  const other = await createMemoryWorld(undefined, createLexicalOnly('a machine without a model', { isAsked: false }));
  try {
    const { id } = await other.remember({ text: 'the ladder leans on the shed' });
    const before = await other.search({ query: 'ladder' });
    expect([ids(before), before.degraded.map(({ reason }) => reason)]).toEqual([[id], ['lexical_only']]);
    const { wordEmbedder } = await import('../search/world.ts');
    const grown = other.with({ embeddings: wordEmbedder() });
    const old = await memoryCollection(other.databases.data);
    expect(await grown.reconciliation.all(new AbortController().signal)).toMatchObject({ embedded: 1, put: 1 });
    const after = await grown.search({ query: 'ladder' });
    expect([ids(after), after.degraded]).toEqual([[id], []]);
    expect((await other.qdrant.collectionExists(old?.name ?? '')).exists).toBe(false);
    // A machine without the model takes nothing away: it finds by words, and says so.
    expect(await other.reconciliation.all(new AbortController().signal)).toMatchObject({ put: 0, removed: 0 });
    expect((await other.search({ query: 'ladder' })).degraded).toMatchObject([{ reason: 'embedder_unavailable' }]);
  } finally {
    await other.close();
  }
});

test('G3 G6 memories are in a collection that no generation names', async () => {
  const collection = await memoryCollection(world.databases.data);
  expect(collection?.name).toMatch(/^holdfast-memories-[0-9a-f]{20}$/);
  const named = await world.databases.data`select 1 from generations where collection = ${collection?.name ?? ''}`;
  expect(named).toHaveLength(0);
});
