import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import type { Judgements } from '../../domain/evaluation/metrics.ts';
import { PermanentFailure } from '../../domain/failures.ts';
import { openBeir } from './beir.ts';
import { openCranfield } from './cranfield.ts';

export interface TestDocument {
  readonly id: string;
  /** May be empty, as may be the text. */
  readonly title: string;
  readonly text: string;
}

export interface TestQuery {
  readonly id: string;
  readonly text: string;
  /** In the file, from 1, counting only those that are judged: what makes it odd or even. */
  readonly number: number;
  readonly judgements: Judgements;
}

/** A public collection for measuring retrieval, as a folder has it. */
export interface TestCollection {
  readonly name: string;
  readonly format: 'beir' | 'cranfield';
  /** Of each call all of them, in the order of the file. */
  readonly documents: () => AsyncIterable<TestDocument>;
  /** Judged ones only. */
  readonly queries: readonly TestQuery[];
}

/** `split`: of BEIR, which of its qrels. Throws PermanentFailure CollectionUnreadable. */
export async function openTestCollection(folder: string, split: string | null): Promise<TestCollection> {
  const name = basename(resolve(folder));
  if (existsSync(join(folder, 'corpus.jsonl'))) return openBeir(folder, name, split);
  if (existsSync(join(folder, 'cran.all.1400'))) return openCranfield(folder, name);
  const wanted =
    'corpus.jsonl, queries.jsonl and qrels/*.tsv (BEIR), or cran.all.1400, cran.qry and cranqrel (Cranfield)';
  throw new PermanentFailure('CollectionUnreadable', `The folder holds no collection that is known: ${wanted}`);
}
