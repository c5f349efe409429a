import { canonicalJson } from '../../domain/canonical-json.ts';
import type { Question } from '../../domain/project/question-set.ts';
import type postgres from 'postgres';
import type { Sql } from './connect.ts';
import { note } from './outbox.ts';

export interface StoredQuestionSet {
  readonly project: string;
  readonly name: string;
  readonly questions: readonly Question[];
  readonly updated_at: Date;
}

export interface QuestionSetSummary extends Pick<StoredQuestionSet, 'name' | 'updated_at'> {
  /** How many. */
  readonly questions: number;
}

export type Stored = 'created' | 'changed' | 'unchanged';

export type QuestionSetStore = ReturnType<typeof createQuestionSetStore>;

/** Question sets of projects: canaries of their waves, and of evaluations. */
export function createQuestionSetStore(data: Sql) {
  return {
    put: (set: Omit<StoredQuestionSet, 'updated_at'>, actor: string): Promise<Stored> =>
      data.begin((tx) => putQuestions(tx, set, actor)),

    find: async (project: string, name: string): Promise<StoredQuestionSet | null> =>
      (
        await data<StoredQuestionSet[]>`
          select project, name, questions, updated_at from question_sets
          where project = ${project} and name = ${name}`
      )[0] ?? null,

    /** By name. */
    list: (project: string): Promise<QuestionSetSummary[]> => data<QuestionSetSummary[]>`
      select name, jsonb_array_length(questions) as questions, updated_at from question_sets
      where project = ${project} order by name`,
  };
}

/** Within a transaction of the caller's; the project must be there. */
export async function putQuestions(
  tx: postgres.ISql,
  { project, name, questions }: Omit<StoredQuestionSet, 'updated_at'>,
  actor: string,
): Promise<Stored> {
  await tx`select 1 from projects where id = ${project} for no key update`;
  const [before] = await tx<{ questions: unknown }[]>`
    select questions from question_sets where project = ${project} and name = ${name}`;
  if (before !== undefined && canonicalJson(before.questions) === canonicalJson(questions)) return 'unchanged';
  await tx`
    insert into question_sets (project, name, questions) values (${project}, ${name}, ${tx.json(questions)})
    on conflict (project, name) do update set questions = excluded.questions, updated_at = now()`;
  const done = before === undefined ? 'created' : 'changed';
  const data = { name, questions: questions.length };
  await note(tx, { type: `question_set.${done}`, subject: `project/${project}`, actor, data });
  return done;
}
