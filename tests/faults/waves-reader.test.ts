import { setTimeout as sleep } from 'node:timers/promises';
import type { Searched } from '../../adapters/search/search.ts';
import { searchIn } from '../support/bench-search.ts';
import { createBenchWorker } from '../support/bench-worker.ts';
import { fullSize } from '../support/proof-size.ts';
import { createWaveBench, type WaveBench } from '../support/wave-bench.ts';

jest.setTimeout(240_000);

/** Each of one chunk, and all of them in one answer: what an arm finds is a hundred candidates. */
const documents = fullSize ? 90 : 20;
const editions = fullSize ? 6 : 2;
const everyMs = 50;

let bench: WaveBench;
beforeAll(async () => {
  bench = await createWaveBench();
  bench.startWorker();
}, 120_000);
afterAll(() => bench.close());

/** All documents say which edition they are of. */
function write(edition: number): void {
  for (let at = 0; at < documents; at += 1)
    bench.write(`page-${at}.md`, `# Page ${at}\n\nWhat page ${at} says in edition${edition} of the handbook.\n`);
}

/** Asks twenty times a second, whether the question before was answered or not, until it is stopped. */
function startReader(ask: () => Promise<Searched>) {
  const asked: Promise<Searched>[] = [];
  const timer = setInterval(() => asked.push(ask()), everyMs);
  return {
    async stop(): Promise<readonly Searched[]> {
      clearInterval(timer);
      return Promise.all(asked);
    },
  };
}

const generationOf = ({ projects }: Searched): number => projects[0]?.generation ?? 0;

test('G4 G5 G8 G11 who asks twenty times a second meanwhile sees whole generations only', async () => {
  write(1);
  expect((await bench.run()).result).toMatchObject({ outcome: 'committed', number: 1, chunks: documents });
  const search = searchIn(bench);
  const reader = startReader(() => search('what a page says of the handbook', documents));
  for (let edition = 2; edition <= editions; edition += 1) {
    write(edition);
    expect((await bench.run()).result).toMatchObject({ outcome: 'committed', number: edition, chunks: documents });
  }

  // Another model, here none at all, writes into another collection; in one wave with the next edition.
  await bench.killWorker();
  const { namespace } = bench.client.options;
  const wordsOnly = createBenchWorker({ ...bench, namespace, env: { HOLDFAST_EMBEDDINGS: 'none' } });
  wordsOnly.startWorker();
  const reembedded = editions + 1;
  try {
    write(reembedded);
    const { result } = await bench.run({ reembed: true });
    expect(result).toMatchObject({ outcome: 'committed', number: reembedded, chunks: documents, embedded: 0 });
    await sleep(10 * everyMs);
    expect(await bench.generations.rollBack(bench.project)).toMatchObject({ ok: true, number: reembedded });
    await sleep(10 * everyMs);
  } finally {
    await wordsOnly.killWorker();
  }

  const answers = await reader.stop();
  const seen = answers.map(generationOf);
  // Two that are asked at once may overtake each other; but each generation had its time, and the rollback the last word.
  expect([...new Set(seen)].sort()).toEqual(Array.from({ length: reembedded }, (_, at) => at + 1));
  expect(seen.at(-1)).toBe(reembedded - 1);
  for (const { hits, degraded, projects } of answers) {
    const [at] = projects;
    expect(new Set(hits.map(({ path }) => path)).size).toBe(documents);
    expect(hits.filter(({ text }) => !text.includes(`edition${at?.generation ?? 0} `))).toEqual([]);
    expect(degraded.map(({ reason }) => reason)).toEqual(at?.generation === reembedded ? ['lexical_only'] : []);
  }
});
