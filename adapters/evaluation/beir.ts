import { createReadStream, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { PermanentFailure } from '../../domain/failures.ts';
import type { TestCollection, TestDocument, TestQuery } from './test-collection.ts';

const identifier = z.union([z.string().min(1), z.number().int()]).transform(String);
const documentLine = z.object({ _id: identifier, title: z.string().nullish(), text: z.string().nullish() });
const queryLine = z.object({ _id: identifier, text: z.string() });

/** The qrels that are taken when none is named, the first that is there. */
const splits = ['test', 'dev', 'validation', 'train'];

/** corpus.jsonl, queries.jsonl, qrels/<split>.tsv (query-id, corpus-id, score). Throws PermanentFailure CollectionUnreadable. */
export async function openBeir(folder: string, name: string, split: string | null): Promise<TestCollection> {
  const judgements = await readQrels(folder, split);
  const queries: TestQuery[] = [];
  for await (const { _id: id, text } of jsonLines(join(folder, 'queries.jsonl'), queryLine)) {
    const judged = judgements.get(id);
    if (judged !== undefined) queries.push({ id, text, number: queries.length + 1, judgements: judged });
  }
  if (queries.length === 0) throw unreadable('none of its queries is judged');
  return { name, format: 'beir', documents: () => documentsOf(folder), queries };
}

async function* documentsOf(folder: string): AsyncGenerator<TestDocument> {
  for await (const { _id: id, title, text } of jsonLines(join(folder, 'corpus.jsonl'), documentLine)) {
    yield { id, title: title ?? '', text: text ?? '' };
  }
}

async function readQrels(folder: string, split: string | null): Promise<Map<string, Map<string, number>>> {
  const found = new Map<string, Map<string, number>>();
  for await (const [line, number] of linesOf(qrelsPath(folder, split))) {
    const columns = line.split('\t').map((column) => column.trim());
    // TREC's own form has a column more, between the two ids.
    const [query = '', document = '', score] = columns.length === 4 ? [columns[0], columns[2], columns[3]] : columns;
    const gain = Number(score);
    if (!Number.isInteger(gain) || document === '') {
      if (number === 1) continue;
      throw unreadable(`line ${number} of its qrels is no judgement`);
    }
    const judged = found.get(query) ?? new Map<string, number>();
    found.set(query, judged.set(document, gain));
  }
  for (const [query, judged] of found) if (Math.max(...judged.values()) <= 0) found.delete(query);
  return found;
}

function qrelsPath(folder: string, split: string | null): string {
  const there = existsSync(join(folder, 'qrels'))
    ? readdirSync(join(folder, 'qrels'))
        .filter((file) => file.endsWith('.tsv'))
        .sort()
    : [];
  const wanted = split === null ? [...splits.map((each) => `${each}.tsv`), ...there] : [`${split}.tsv`];
  const file = wanted.find((each) => there.includes(each));
  if (file === undefined)
    throw unreadable(`it has no qrels/${split ?? '*'}.tsv; there are: ${there.join(', ') || 'none'}`);
  return join(folder, 'qrels', file);
}

async function* jsonLines<T>(path: string, schema: z.ZodType<T>): AsyncGenerator<T> {
  for await (const [line, number] of linesOf(path)) {
    const parsed = schema.safeParse(parseJson(line));
    if (!parsed.success)
      throw unreadable(`line ${number} of ${path.slice(path.lastIndexOf('/') + 1)} is not what it should be`);
    yield parsed.data;
  }
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch {
    return null;
  }
}

/** Lines that are not empty, with their numbers from 1. */
async function* linesOf(path: string): AsyncGenerator<[line: string, number: number]> {
  if (!existsSync(path)) throw unreadable(`it has no ${path.slice(path.lastIndexOf('/') + 1)}`);
  const lines = createInterface({ input: createReadStream(path, 'utf8'), crlfDelay: Infinity });
  let number = 0;
  for await (const line of lines) {
    number += 1;
    if (line.trim() !== '') yield [line, number];
  }
}

function unreadable(why: string): PermanentFailure {
  return new PermanentFailure('CollectionUnreadable', `The collection cannot be read: ${why}`);
}
