import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { connectQdrant } from '../../../adapters/qdrant/connect.ts';
import { GenerationGone } from '../../../adapters/search/scopes.ts';
import { createSearch } from '../../../adapters/search/search.ts';
import { defaultSettings, placeValue } from '../../../domain/search/settings.ts';
import { alive } from '../../../domain/generation/generation.ts';
import { createWorld, wordEmbedder, type Doc, type World } from './world.ts';
import { fullSize } from '../../support/proof-size.ts';

let world: World;
beforeAll(async () => (world = await createWorld()));
afterAll(() => world.close());

let made = 0;
async function project(docs: readonly Doc[] = []): Promise<string> {
  const id = `p${String((made += 1)).padStart(2, '0')}-search`;
  await world.project(id);
  if (docs.length > 0) await world.wave(id, docs);
  return id;
}
const paths = ({ hits }: { hits: readonly { path: string }[] }) => hits.map(({ path }) => path);
const note = (path: string, ...chunks: string[]): Doc => ({ path, chunks });

describe('C8 what an answer holds', () => {
  test('C8 a hit has its project, its place, its source, the score of each arm and the generation', async () => {
    const text = 'The reset button of the router is behind the left antenna.';
    const uri = 'https://example.org/router';
    const id = await project([{ ...note('router.md', 'An introduction.', text), heading: ['Router', 'Reset'], uri }]);
    const { hits, projects, degraded } = await world.search({ query: 'router reset button', projects: [id] });
    expect(degraded).toEqual([]);
    expect(projects).toEqual([
      { project: id, asked: id, resolved_by: 'id', generation: 1, identity: world.embedder.key, chunks: 2 },
    ]);
    expect(hits[0]).toMatchObject({
      ...{ project: id, resolved_by: 'id', generation: 1, source: 'notes', uri, path: 'router.md', title: 'router.md' },
      ...{ heading: ['Router', 'Reset'], start: 17, end: 17 + text.length, text, place: { line: 2 }, kind: 'corpus' },
      trusted: null,
    });
    const { dense, lexical, fused } = hits[0]?.scores ?? {};
    expect(dense).toBeGreaterThan(0.3);
    expect(lexical).toBeGreaterThan(0.3);
    // First in both arms, by Qdrant's reciprocal ranks.
    expect(fused).toBeCloseTo(placeValue(0, 'dense', defaultSettings) + placeValue(0, 'lexical', defaultSettings), 6);
  });

  test('C8 k of the fusion is what it is set to', async () => {
    const id = await project([note('one.md', 'a quick brown fox'), note('two.md', 'a lazy dog')]);
    const { hits } = await world.search({
      query: 'quick brown fox',
      projects: [id],
      settings: { k: 11, weights: { dense: 1, lexical: 1 } },
    });
    expect(hits[0]?.scores.fused).toBeCloseTo(2 / 11, 6);
  });

  test('C8 each arm alone finds by its own score', async () => {
    const id = await project([
      note('one.md', 'fox fox fox'),
      note('two.md', 'the fox and the other animals of the wood'),
    ]);
    for (const arm of ['dense', 'lexical'] as const) {
      const { hits } = await world.search({ query: 'fox', projects: [id], arms: [arm] });
      expect(hits.map(({ scores }) => scores[arm])).toEqual(
        hits.map(({ scores }) => scores[arm]).sort((a, b) => Number(b) - Number(a)),
      );
      expect(hits.every(({ scores }) => scores[arm === 'dense' ? 'lexical' : 'dense'] === null)).toBe(true);
    }
  });

  test('C8 nothing found is an empty answer that is not degraded; nothing ever ingested is generation 0', async () => {
    const id = await project([note('one.md', 'words')]);
    const { hits, degraded } = await world.search({ query: '…', projects: [id], arms: ['lexical'] });
    expect([hits, degraded]).toEqual([[], []]);
    const never = await project();
    const answer = await world.search({ query: 'words', projects: [never] });
    expect(answer).toMatchObject({
      hits: [],
      degraded: [],
      projects: [{ project: never, generation: 0, identity: null }],
    });
  });

  test('C8 filtered by kind', async () => {
    const id = await project([
      note('raw.md', 'status of the launch'),
      { ...note('status.md', 'status of the launch'), kind: 'trusted_operational' },
    ]);
    const of = (kind: 'corpus' | 'trusted_operational') =>
      world.search({ query: 'launch status', projects: [id], kind });
    expect(paths(await of('corpus'))).toEqual(['raw.md']);
    expect(paths(await of('trusted_operational'))).toEqual(['status.md']);
  });
});

describe('G8 only what is visible', () => {
  test('G8 an unseen generation is answered to its own wave only, and the one before to everybody', async () => {
    const id = await project([note('old.md', 'the old plan of the harbour')]);
    const ref = await world.wave(id, [note('new.md', 'the new plan of the harbour')], {
      removed: ['old.md'],
      end: 'proved',
    });
    expect(paths(await world.search({ query: 'harbour plan', projects: [id] }))).toEqual(['old.md']);
    const own = { project: id, generation: ref.number, unseen: true };
    expect(paths(await world.search({ query: 'harbour plan', projects: [own] }))).toEqual(['new.md']);
    await expect(world.search({ query: 'harbour plan', projects: [{ ...own, unseen: false }] })).rejects.toThrow(
      GenerationGone,
    );

    await world.commit(ref);
    expect(paths(await world.search({ query: 'harbour plan', projects: [id] }))).toEqual(['new.md']);
    expect(paths(await world.search({ query: 'harbour plan', projects: [{ project: id, generation: 1 }] }))).toEqual([
      'old.md',
    ]);
  });

  test('G8 no row, no answer: points without rows, with dead rows and of other projects are kept from it', async () => {
    const id = await project([
      note('here.md', 'the keys of the cellar'),
      note('gone.md', 'the keys of the cellar door'),
    ]);
    const other = await project([note('theirs.md', 'the keys of their cellar')]);
    const { data: sql } = world.databases;
    const [theirs] = await sql<{ id: string; collection: string }[]>`
      select c.id, g.collection from chunks c join generations g using (project) where c.project = ${other}`;
    await sql`update chunks set died = 1 where project = ${id} and born < 1`;
    await sql`delete from chunks where project = ${id} and text like '%door%'`;
    // A payload that says what is not so, as a bug or a hand would leave it.
    const payload = { project: id, born: 1, died: alive, kind: 'corpus' };
    await world.qdrant.overwritePayload(theirs?.collection ?? '', { payload, points: [theirs?.id ?? ''], wait: true });
    const { hits, foreign } = await world.search({ query: 'keys of the cellar', projects: [id] });
    expect(hits.map(({ path }) => path)).toEqual(['here.md']);
    expect(foreign).toEqual([other]);
  });

  test('G8 a generation that was collected, discarded or never begun is refused, each by its name', async () => {
    const id = await project([note('one.md', 'one')]);
    await world.wave(id, [note('two.md', 'two')]);
    const at = (generation: number) => world.search({ query: 'one', projects: [{ project: id, generation }] });
    await expect(at(9)).rejects.toThrow('it was never begun');
    const { data: sql } = world.databases;
    await sql`update projects set gc_floor = 2 where id = ${id}`;
    await expect(at(1)).rejects.toThrow('it was collected');
    await sql`update projects set gc_floor = 0 where id = ${id}`;
    await sql`update generations set state = 'rolled_back' where project = ${id} and number = 1`;
    await expect(at(1)).rejects.toThrow('it is rolled back');
  });
});

describe('G10 a ranking is the project’s own', () => {
  test('G10 the same question at the same generation has the same answer, whatever other projects write meanwhile', async () => {
    const id = await project([
      ...Array.from({ length: 12 }, (_, n) => note(`common${n}.md`, `alpha common words number ${n}`)),
      note('rare.md', 'beta common words'),
      note('twin-a.md', 'alpha beta the very same'),
      note('twin-b.md', 'alpha beta the very same'),
    ]);
    const ask = () => world.search({ query: 'alpha beta', projects: [id] });
    const before = await ask();
    const other = await project();
    for (let wave = 0; wave < 3; wave += 1) {
      await world.wave(
        other,
        Array.from({ length: 300 }, (_, n) => note(`n${wave}-${n}.md`, `beta beta beta ${n} wave ${wave}`)),
      );
      expect(await ask()).toEqual(before);
    }
    // By the statistics of all projects alpha would have become the rare word.
    expect(before.hits.findIndex(({ path }) => path === 'rare.md')).toBeLessThan(
      before.hits.findIndex(({ path }) => path.startsWith('common')),
    );
  });

  test('G10 an unseen generation of the project itself changes no answer either', async () => {
    const id = await project([
      note('a.md', 'alpha words'),
      note('b.md', 'beta words'),
      note('c.md', 'alpha beta words'),
    ]);
    const before = await world.search({ query: 'alpha beta', projects: [id] });
    await world.wave(
      id,
      Array.from({ length: 100 }, (_, n) => note(`x${n}.md`, `alpha ${n}`)),
      { end: 'proved' },
    );
    expect(await world.search({ query: 'alpha beta', projects: [id] })).toEqual(before);
  });
});

/** The proof asks a thousand. */
const scopedQuestions = fullSize ? 1_000 : 250;

test(`C8 no foreign chunk in ${scopedQuestions} scoped questions over three projects with trap words`, async () => {
  const words = ['anchor', 'bridge', 'candle', 'delta', 'engine', 'forest'];
  const traps = ['zebrafish', 'quicksilver', 'moonstone'];
  const ids = [await project(), await project(), await project()];
  for (const [at, id] of ids.entries()) {
    await world.wave(
      id,
      Array.from({ length: 20 }, (_, n) =>
        note(`n${n}.md`, `${traps[at]} ${words[n % 6]} ${words[(n * 5 + 1) % 6]} ${n}`),
      ),
    );
  }
  let foreign = 0;
  for (let n = 0; n < scopedQuestions; n += 1) {
    const at = n % 3;
    // Half of them ask for a word that only another project has.
    const query = `${n % 2 === 0 ? traps[(at + 1) % 3] : traps[at]} ${words[n % 6]}`;
    const answer = await world.search({ query, projects: [ids[at] ?? ''] });
    foreign += answer.hits.filter(({ project: of, text }) => of !== ids[at] || !text.includes(traps[at] ?? '')).length;
    foreign += answer.foreign.length;
    expect(answer.hits.length).toBeGreaterThan(0);
  }
  expect(foreign).toBe(0);
}, 180_000);

test('C8 several projects are asked at once, and the nearest comes first whoever has it', async () => {
  const [one, two] = [
    await project([note('a.md', 'painting the fence green')]),
    await project([note('b.md', 'baking bread with rye')]),
  ];
  const answer = await world.search({ query: 'bread with rye', projects: [one, two] });
  expect(answer.hits[0]).toMatchObject({ project: two, path: 'b.md' });
  expect(answer.projects.map(({ project: id }) => id)).toEqual([one, two]);
});

describe('W5 trusted views', () => {
  const view = (path: string, item: string, more: Partial<Doc> = {}): Doc => ({
    ...note(path, `launch status from ${item}`),
    ...{ kind: 'trusted_operational', item, view: 'current_status', as_of: '2026-01-01T00:00:00.000Z' },
    ...more,
  });

  test('W5 the current view is above raw notes; the one it took the place of is behind them and marked stale', async () => {
    const raw = note('raw.md', 'launch status launch status');
    const id = await project([raw, view('old.md', 'january'), view('new.md', 'february', { supersedes: 'january' })]);
    const { hits } = await world.search({ query: 'launch status', projects: [id] });
    expect(hits.map(({ path }) => path)).toEqual(['new.md', 'raw.md', 'old.md']);
    expect(hits.map(({ trusted }) => trusted?.stale ?? null)).toEqual([false, null, true]);
    expect(hits[0]?.trusted).toEqual({
      view: 'current_status',
      as_of: '2026-01-01T00:00:00.000Z',
      supersedes: 'january',
      stale: false,
    });
  });

  test('W5 at the generation before it was the current one, and still is there', async () => {
    const id = await project([view('old.md', 'january')]);
    await world.wave(id, [view('new.md', 'february', { supersedes: 'january' })]);
    const stale = async (generation: number) =>
      (await world.search({ query: 'january', projects: [{ project: id, generation }] })).hits.find(
        ({ path }) => path === 'old.md',
      )?.trusted?.stale;
    expect([await stale(1), await stale(2)]).toEqual([false, true]);
  });
});

describe('what is away is said', () => {
  const docs = [
    note('a.md', 'the garden gate'),
    note('b.md', 'the garden gate and the garden path'),
    note('c.md', 'a boat'),
  ];

  test('C8 without the model of the project: found by words, and said so', async () => {
    const id = await project(docs);
    const { data: sql } = world.databases;
    const without = createSearch({ sql, qdrant: world.qdrant, embedderOf: () => null });
    const scopes = [{ project: id, asked: id, resolved_by: 'id' as const }];
    const { hits, degraded } = await without({ query: 'garden gate', scopes, limit: 10 });
    expect(degraded).toMatchObject([{ project: id, reason: 'embedder_unavailable' }]);
    expect(paths({ hits }).sort()).toEqual(['a.md', 'b.md']);
    expect(hits.every(({ scores }) => scores.dense === null)).toBe(true);

    const failing = { ...wordEmbedder(), embed: () => Promise.reject(new Error('no memory\nat secret place')) };
    const { degraded: why } = await createSearch({ sql, qdrant: world.qdrant, embedderOf: () => failing })({
      query: 'gate',
      scopes,
      limit: 10,
    });
    expect(why).toEqual([{ project: id, reason: 'embedder_unavailable', detail: 'no memory' }]);
  });

  test('G8 a Qdrant that takes the question and never answers holds up no reader for longer than generations are kept', async () => {
    const id = await project(docs);
    const { data: sql } = world.databases;
    const sockets: Socket[] = [];
    const silent = createServer((socket) => void sockets.push(socket)).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const search = createSearch({ sql, qdrant: connectQdrant({ url, apiKey: null }), embedderOf: () => null });
    const scopes = [{ project: id, asked: id, resolved_by: 'id' as const }];
    const { hits, degraded } = await search({ query: 'garden path', scopes, limit: 10 });
    silent.close();
    for (const socket of sockets) socket.destroy();
    expect(paths({ hits })[0]).toBe('b.md');
    expect(degraded.map(({ detail }) => detail).join()).toContain('no answer in time');
  });

  test('C8 a project that was written without a model is lexical only, and says so', async () => {
    const id = await project();
    await world.wave(id, docs, { identity: 'none' });
    const { hits, degraded, projects } = await world.search({ query: 'garden', projects: [id] });
    expect(paths({ hits }).sort()).toEqual(['a.md', 'b.md']);
    expect(degraded).toMatchObject([{ project: id, reason: 'lexical_only' }]);
    expect(projects[0]?.identity).toBe('none');
  });

  test('C8 without Qdrant: the same by words out of the rows, never an empty answer', async () => {
    const id = await project(docs);
    const { data: sql } = world.databases;
    const nowhere = connectQdrant({ url: 'http://127.0.0.1:9', apiKey: null });
    const scopes = [{ project: id, asked: id, resolved_by: 'id' as const }];
    const away = await createSearch({ sql, qdrant: nowhere, embedderOf: () => null })({
      query: 'garden path',
      scopes,
      limit: 10,
    });
    const there = await world.search({ query: 'garden path', projects: [id], arms: ['lexical'] });
    expect(away.degraded.map(({ reason }) => reason).sort()).toEqual([
      'candidates_unavailable',
      'embedder_unavailable',
    ]);
    expect(paths(away)).toEqual(paths(there));
    expect(away.hits.map(({ scores }) => scores.lexical)).toEqual(there.hits.map(({ scores }) => scores.lexical));
    expect(away.degraded.find(({ reason }) => reason === 'candidates_unavailable')?.detail).not.toContain('127.0.0.1');
  });
});
