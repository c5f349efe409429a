import type { Evaluation } from '../domain/evaluation/schemas.ts';
import { table } from './output.ts';

/** An evaluation for people: the table, whether the differences are more than chance, and what has changed since the last one. */
export function evaluationLines({ subject, generation, result }: Evaluation): string[] {
  if (result.state === 'running') {
    return [`${subject}: under way, ${result.progress.documents} documents, ${result.progress.questions} questions`];
  }
  if (result.state === 'failed') return [`${subject}: failed`];
  const { documents, chunks, questions, identity, kept_project } = result;
  const size = `${documents === 0 ? '' : `${documents} documents, `}${chunks} chunks, ${questions} questions`;
  return [
    `${subject} at generation ${generation ?? '-'}: ${size}, embedded with ${identity ?? '-'}`,
    '',
    ...scoreTable(result),
    '',
    ...result.tests.map(testLine),
    ...sinceLines(result),
    ...shareLines(result),
    ...result.bounds.map(boundLine),
    ...result.leaks.map(
      ({ question, project, where, term }) =>
        `leak: question ${question}, ${project}, in the ${where}${term == null ? '' : `: ${JSON.stringify(term)}`}`,
    ),
    ...result.degraded.map((each) => `degraded: ${each}`),
    ...(kept_project === null ? [] : [`kept: holdfast search --project ${kept_project} <words>`]),
  ];
}

function scoreTable(result: Evaluation['result']): string[] {
  const rows = result.table.map(({ part, ranker, questions, scores }) => [
    ...[part, ranker, String(questions)],
    ...[scores.ndcg_at_10, scores.recall_at_10, scores.recall_at_100, scores.mrr].map((score) => score.toFixed(4)),
  ]);
  return table(['questions', 'ranker', 'n', 'nDCG@10', 'recall@10', 'recall@100', 'MRR'], rows);
}

type Test = Evaluation['result']['tests'][number];

function testLine({ part, first, second, difference, t, t_p, randomised_p }: Test): string {
  const student = t === null || t_p === null ? '' : `, t ${t.toFixed(2)} p ${shownP(t_p)}`;
  return `${part}: ${first} ${signed(difference)} nDCG@10 against ${second}, randomisation p ${shownP(randomised_p)}${student}`;
}

function sinceLines({ since }: Evaluation['result']): string[] {
  if (since === null) return [];
  const { ranker, difference, questions, randomised_p, at, evaluation } = since;
  const change = `${ranker} ${signed(difference)} nDCG@10 on ${questions} questions, randomisation p ${shownP(randomised_p)}`;
  return [`since ${at} (${evaluation}): ${change}`];
}

function boundLine({ name, bound, value, ok }: Evaluation['result']['bounds'][number]): string {
  return `${ok ? '✓' : '✗'} ${name} ${bound}: ${value.toFixed(3)}`;
}

function shareLines({ trusted_share, own_share, meta_share, ambiguity }: Evaluation['result']): string[] {
  return [
    ...(own_share === null ? [] : [`its own share of the ten best hits: ${percent(own_share)}`]),
    ...(trusted_share === null || trusted_share === 0
      ? []
      : [`trusted views among the ten best hits: ${percent(trusted_share)}`]),
    ...(meta_share === null ? [] : [`Holdfast's own documents among the ten best hits: ${percent(meta_share)}`]),
    ...(ambiguity === null ? [] : [`ambiguity between the projects: ${ambiguity.toFixed(3)}`]),
  ];
}

const signed = (value: number): string => `${value < 0 ? '-' : '+'}${Math.abs(value).toFixed(4)}`;
const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
const shownP = (p: number): string => (p < 0.0001 ? '< 0.0001' : p.toFixed(4));
