import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PermanentFailure } from '../../domain/failures.ts';
import type { TestCollection, TestDocument, TestQuery } from './test-collection.ts';

/** Sections of an entry by their letter: T title, A author, B where it appeared, W text. */
type Entry = ReadonlyMap<string, string>;

/**
 * cran.all.1400, cran.qry, cranqrel. Any judgement from 1 to 4 counts as relevant, none more than another. The judgements
 * number the queries by their places in the file, not by the numbers in it. Throws PermanentFailure CollectionUnreadable.
 */
export async function openCranfield(folder: string, name: string): Promise<TestCollection> {
  const [all, asked, judged] = await Promise.all(
    ['cran.all.1400', 'cran.qry', 'cranqrel'].map((file) =>
      readFile(join(folder, file), 'utf8').catch(() => {
        throw new PermanentFailure('CollectionUnreadable', `The collection cannot be read: it has no ${file}`);
      }),
    ),
  );
  const documents = entriesOf(all ?? '').map(documentOf);
  const judgements = judgementsOf(judged ?? '');
  const queries = entriesOf(asked ?? '').flatMap(([, entry], index): TestQuery[] => {
    const relevant = judgements.get(index + 1);
    if (relevant === undefined) return [];
    return [{ id: String(index + 1), text: oneLine(entry.get('W')), number: index + 1, judgements: relevant }];
  });
  return {
    name,
    format: 'cranfield',
    async *documents() {
      yield* documents;
    },
    queries,
  };
}

function entriesOf(text: string): [id: string, entry: Entry][] {
  return text
    .split(/^\.I\s+/m)
    .slice(1)
    .map((each) => {
      const [id = '', ...sections] = each.split(/^\.([TABW])\s*$/m);
      const entry = new Map<string, string>();
      for (let index = 0; index < sections.length; index += 2) {
        const letter = sections[index] ?? '';
        entry.set(letter, (entry.get(letter) ?? '') + (sections[index + 1] ?? ''));
      }
      return [String(Number(id)), entry];
    });
}

/** The text begins with the title once more. */
function documentOf([id, entry]: [string, Entry]): TestDocument {
  const title = oneLine(entry.get('T'));
  const text = oneLine(entry.get('W'));
  return { id, title, text: text.startsWith(title) ? text.slice(title.length).trim() : text };
}

function judgementsOf(text: string): Map<number, Map<string, number>> {
  const found = new Map<number, Map<string, number>>();
  for (const line of text.split('\n')) {
    const [query, document, code] = line.trim().split(/\s+/).map(Number);
    if (query === undefined || document === undefined || code === undefined || code < 1 || code > 4) continue;
    const relevant = found.get(query) ?? new Map<string, number>();
    found.set(query, relevant.set(String(document), 1));
  }
  return found;
}

function oneLine(text = ''): string {
  return text.replace(/\s+/g, ' ').trim();
}
