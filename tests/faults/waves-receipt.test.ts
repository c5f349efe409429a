import { searchIn } from '../support/bench-search.ts';
import { createRandom, fullSize, seed } from '../support/proof-size.ts';
import { createWaveBench, type WaveBench } from '../support/wave-bench.ts';

jest.setTimeout(600_000);

const documents = fullSize ? 1_000 : 200;
const removedDocuments = documents / 10;

let bench: WaveBench;
beforeAll(async () => {
  bench = await createWaveBench();
  bench.startWorker();
}, 120_000);
afterAll(() => bench.close());

const pathOf = (at: number): string => `part-${at % 9}/page-${at}.md`;
const numberOf = (at: number): number => at - (at % 5 === 1 ? 1 : 0);
/** Every fifth has the content of the one before it. */
const wordOf = (at: number): string => `token${numberOf(at)}q`;

function write(at: number): void {
  const [number, word] = [numberOf(at), wordOf(at)];
  bench.write(pathOf(at), `# Page ${number}\n\nThe word of this page is ${word}.\n\n## More\n\nNothing but ${word}.\n`);
}

/** What every row of the project is, and who wrote it: a row that is written again is another one, also with the same values. */
async function rowsAsWritten(): Promise<string> {
  const { data } = bench.databases;
  const [row] = await data<{ sum: string }[]>`
    select md5(string_agg(line, ' ' order by line)) as sum from (
      select concat('c', id, xmin, ctid) as line from chunks where project = ${bench.project}
      union all select concat('d', id, xmin, ctid) from documents where project = ${bench.project}
      union all select concat('t', term, xmin, ctid) from term_counts where project = ${bench.project}
      union all select concat('g', number, xmin, ctid) from generations where project = ${bench.project}
      union all select concat('v', embedded_sha256, xmin, ctid) from vectors) as lines`;
  return row?.sum ?? '';
}

/** Ids of what readers may find: of rows that have their document, and of points. Sorted. */
async function visibleIds(): Promise<{ rows: string[]; points: string[] }> {
  const { data } = bench.databases;
  const [at] = await data<{ number: number; collection: string }[]>`
    select g.number::int, g.collection from projects p join generations g on g.project = p.id and g.number = p.visible
    where p.id = ${bench.project}`;
  if (at === undefined) throw new Error('nothing is visible');
  const rows = await data<{ id: string }[]>`
    select c.id from chunks c where c.project = ${bench.project} and c.born <= ${at.number} and c.died > ${at.number}`;
  const must = [
    { key: 'project', match: { value: bench.project } },
    { key: 'born', range: { lte: at.number } },
    { key: 'died', range: { gt: at.number } },
  ];
  const limit = documents * 10;
  const { points } = await bench.qdrant.scroll(at.collection, { filter: { must }, limit, with_payload: false });
  return { rows: rows.map(({ id }) => id).sort(), points: points.map(({ id }) => String(id)).sort() };
}

const random = createRandom();
const all = Array.from({ length: documents }, (_, at) => at);
const removed = new Set(
  Array.from({ length: removedDocuments }, () => all.splice(Math.floor(random() * all.length), 1)[0] ?? 0),
);
const twins = [...removed].filter((at) => at % 5 <= 1);

test(`W6 G3 ${documents} documents: the same again writes nothing; of those that go nothing stays (seed ${seed})`, async () => {
  for (let at = 0; at < documents; at += 1) write(at);
  const first = await bench.run();
  expect(first.result).toMatchObject({ outcome: 'committed', documents, failed: 0, quarantined: 0 });
  expect(bench.stub.asked()).toBe(first.result.embedded);

  const [before, asWritten] = [await bench.seen(), await rowsAsWritten()];
  const again = await bench.run();
  expect(again.result).toMatchObject({ outcome: 'nothing_to_do', number: null });
  expect(again.plan).toMatchObject({ unchanged: documents });
  expect(bench.stub.asked()).toBe(0);
  expect([await bench.seen(), await rowsAsWritten()]).toEqual([before, asWritten]);

  const chunksAway = before.chunks / documents;
  for (const at of removed) bench.remove(pathOf(at));
  const { id, result, plan } = await bench.run();
  expect(plan).toMatchObject({ removed: removedDocuments, added: 0, changed: 0, moved: 0 });
  expect(result).toMatchObject({ outcome: 'committed', embedded: 0 });
  expect(bench.stub.asked()).toBe(0);

  // The receipt, as it is kept: of both stores, compared by their ids at the wave's number.
  const kept = (await bench.waves.find(id))?.evidence.find(({ check }) => check === 'proof');
  const [left, died] = [documents - removedDocuments, removedDocuments * chunksAway];
  expect(kept).toMatchObject({
    ...{ ok: true, reason: 'both stores are the same' },
    detail: { documents: left, chunks: left * chunksAway, born: 0, died, repaired: 0 },
  });
  const ids = await visibleIds();
  expect(ids.points).toEqual(ids.rows);
  expect(ids.rows).toHaveLength(left * chunksAway);
});

test('G8 no question finds a document that went, and its twin is found still', async () => {
  const search = searchIn(bench);
  expect(twins.length).toBeGreaterThan(0);
  const gone = new Set([...removed].map(pathOf));
  for (const at of removed) {
    const { hits } = await search(wordOf(at), 20);
    const found = hits.filter(({ text }) => text.includes(wordOf(at))).map(({ path }) => path);
    expect(hits.filter(({ path }) => gone.has(path))).toEqual([]);
    const likeIt = [at - 1, at + 1].filter((one) => one >= 0 && one < documents && wordOf(one) === wordOf(at));
    expect([...new Set(found)]).toEqual(likeIt.filter((one) => !removed.has(one)).map(pathOf));
  }
});
