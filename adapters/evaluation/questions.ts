import { judge, type Leak } from '../../domain/evaluation/judge.ts';
import { scoresOf, type Scores } from '../../domain/evaluation/metrics.ts';
import type { Question } from '../../domain/project/question-set.ts';
import type { Hit } from '../../domain/search/schemas.ts';
import type { Searched } from '../search/search.ts';
import type { TestQuery } from './test-collection.ts';

/** A question as it is asked, and how an answer to it is measured. */
export interface MeasuredQuestion {
  readonly id: string;
  /** From 1. */
  readonly number: number;
  readonly text: string;
  readonly measure: (answer: Pick<Searched, 'hits' | 'foreign'>, named: readonly string[]) => Measured;
}

export interface Measured {
  readonly scores: Scores;
  readonly leaks: readonly Leak[];
}

/** Of a public collection: a document's path is its id. */
export function fromCollection({ id, number, text, judgements }: TestQuery): MeasuredQuestion {
  const measure = ({ hits }: { readonly hits: readonly Hit[] }) => {
    return {
      scores: scoresOf(
        hits.map(({ path }) => path),
        judgements,
      ),
      leaks: [],
    };
  };
  return { id, number, text, measure };
}

/** Of a project's set. Hits of other projects that were asked as well take places and are never relevant. */
export function fromQuestionSet(project: string, question: Question, index: number): MeasuredQuestion {
  return {
    id: question.id,
    number: index + 1,
    text: question.query,
    measure({ hits, foreign }, named) {
      // A path of another project may be called the same.
      const judged = hits.map((hit) => (hit.project === project ? hit : { ...hit, path: '', source: '' }));
      return judge(question, judged, { named, foreign });
    },
  };
}
