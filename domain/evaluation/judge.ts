import type { Question } from '../project/question-set.ts';
import { scoresOf, type Scores } from './metrics.ts';

/** What of a hit is judged. */
export interface JudgedHit {
  readonly project: string;
  readonly document: string;
  readonly source: string;
  readonly path: string;
  readonly heading: readonly string[];
  readonly text: string;
  readonly trusted: unknown;
}

/** Something of a project that was not named, or that the question forbids. */
export interface Leak {
  readonly question: string;
  readonly project: string;
  /** `answer`: it was answered. `candidate`: the search engine found it, and the rows kept it from the answer. */
  readonly where: 'answer' | 'candidate';
  /** What the question forbids; null: the project itself is the leak. */
  readonly term: string | null;
}

export interface Judged {
  readonly question: string;
  readonly scores: Scores;
  readonly leaks: readonly Leak[];
  readonly hits: number;
  /** How many of them are of a trusted operational view. */
  readonly trusted: number;
}

/** `hits`: best first. `named`: the projects that were asked. `foreign`: projects of candidates that were kept back. */
export function judge(
  { id, relevant, forbidden = [] }: Question,
  hits: readonly JudgedHit[],
  { named, foreign }: { readonly named: readonly string[]; readonly foreign: readonly string[] },
): Judged {
  const leak = (project: string, where: Leak['where'], term: string | null = null): Leak => {
    return { question: id, project, where, term };
  };
  return {
    question: id,
    scores: scoresOf(
      hits.map((hit) => placeOf(hit, relevant)),
      new Map(relevant.map(({ grade }, index) => [String(index), grade])),
    ),
    leaks: [
      ...hits.filter(({ project }) => !named.includes(project)).map(({ project }) => leak(project, 'answer')),
      ...hits.flatMap((hit) => termsIn(hit, forbidden).map((term) => leak(hit.project, 'answer', term))),
      ...foreign.map((project) => leak(project, 'candidate')),
    ],
    hits: hits.length,
    trusted: hits.filter(({ trusted }) => trusted !== null).length,
  };
}

function termsIn({ text, heading, path }: JudgedHit, forbidden: readonly string[]): string[] {
  const whole = [path, ...heading, text].join('\n').toLowerCase();
  return forbidden.filter((term) => whole.includes(term.toLowerCase()));
}

/** Which of the judgements it is of, the narrowest one first; else the document that it is of. */
function placeOf(hit: JudgedHit, relevant: Question['relevant']): string {
  const matching = relevant.flatMap(({ source, path, heading }, index) => {
    const fits =
      path === hit.path &&
      (source === null || source === hit.source) &&
      (heading === null || hit.heading.includes(heading));
    return fits ? [{ index, narrow: (source === null ? 0 : 1) + (heading === null ? 0 : 2) }] : [];
  });
  const [narrowest] = matching.sort((a, b) => b.narrow - a.narrow);
  return narrowest === undefined ? hit.document : String(narrowest.index);
}
