import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openTestCollection, type TestDocument } from '../../../adapters/evaluation/test-collection.ts';
import { packageRoot } from '../../../infra/package-root.ts';

const data = join(packageRoot, 'tests/data/questions');
async function documentsOf(folder: string): Promise<TestDocument[]> {
  const found: TestDocument[] = [];
  for await (const document of (await openTestCollection(folder, null)).documents()) found.push(document);
  return found;
}

describe('C9 BEIR', () => {
  const folder = join(data, 'beir');

  test('C9 corpus, judged questions and graded judgements are read', async () => {
    const { name, format, queries } = await openTestCollection(folder, null);
    expect([name, format]).toEqual(['beir', 'beir']);
    // q5 is judged by nobody and has no number: odd and even are told by what is asked.
    expect(queries.map(({ id, number }) => [id, number])).toEqual([
      ...([
        ['q1', 1],
        ['q2', 2],
        ['q3', 3],
        ['q4', 4],
        ['q6', 5],
      ] as const),
    ]);
    expect([...(queries[3]?.judgements ?? [])]).toEqual([
      ['battery', 2],
      ['solar', 1],
      ['printer', 0],
    ]);
    const documents = await documentsOf(folder);
    expect(documents).toHaveLength(10);
    expect(documents[0]).toMatchObject({ id: 'router', title: 'Resetting the router' });
  });

  test('C9 another split is another set of questions; one that is not there is refused with those that are', async () => {
    expect((await openTestCollection(folder, 'dev')).queries.map(({ id }) => id)).toEqual(['q1']);
    await expect(openTestCollection(folder, 'train')).rejects.toThrow(
      'it has no qrels/train.tsv; there are: dev.tsv, test.tsv',
    );
  });

  test('C9 a folder that holds no collection, and a damaged line, are refused with what is wrong', async () => {
    const other = mkdtempSync(join(tmpdir(), 'holdfast-eval-'));
    try {
      await expect(openTestCollection(other, null)).rejects.toMatchObject({ type: 'CollectionUnreadable' });
      writeFileSync(join(other, 'corpus.jsonl'), '{"_id": 7, "text": "numbers are ids too"}\n\nnot json\n');
      await expect(openTestCollection(other, null)).rejects.toThrow('it has no qrels/*.tsv; there are: none');
      await expect(documentsOf(join(data, 'nowhere'))).rejects.toMatchObject({ type: 'CollectionUnreadable' });
    } finally {
      rmSync(other, { recursive: true });
    }
  });
});

test('C9 Cranfield: judgements number the questions by their places; 1 to 4 are relevant, all alike; the title is not doubled', async () => {
  const folder = join(data, 'cranfield');
  const { queries, format } = await openTestCollection(folder, null);
  expect(format).toBe('cranfield');
  expect(
    queries.map(({ id, number, text, judgements }) => ({ id, number, text, judgements: [...judgements] })),
  ).toEqual([
    { id: '1', number: 1, text: 'how is the router reset', judgements: [['1', 1]] },
    {
      id: '2',
      number: 2,
      text: 'when does the backup run',
      judgements: [
        ['2', 1],
        ['1', 1],
      ],
    },
  ]);
  const documents = await documentsOf(folder);
  expect(documents.map(({ id }) => id)).toEqual(['1', '2', '3', '4']);
  expect(documents[0]).toEqual({
    id: '1',
    title: 'resetting the router',
    text: 'hold the small button behind the left antenna for ten seconds .',
  });
  expect(documents[2]).toEqual({ id: '3', title: '', text: '' });
});
