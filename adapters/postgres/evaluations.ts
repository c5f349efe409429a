import { emptyEvaluation, type EvaluationResult } from '../../domain/evaluation/schemas.ts';
import type { Sql } from './connect.ts';

export interface NewEvaluation {
  readonly id: string;
  readonly subject: string;
  readonly project: string | null;
  readonly generation: number | null;
  readonly question_set: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly actor: string;
}

export interface StoredEvaluation extends NewEvaluation {
  readonly result: EvaluationResult;
  readonly at: Date;
}

type Row = Omit<StoredEvaluation, 'generation' | 'result'> & {
  readonly generation: string | null;
  readonly result: Partial<EvaluationResult>;
};

export type EvaluationStore = ReturnType<typeof createEvaluationStore>;

/** Row C9: what was measured, kept for ever. Every write may be repeated. */
export function createEvaluationStore(sql: Sql) {
  return {
    async open(evaluation: NewEvaluation): Promise<void> {
      const { id, subject, project, generation, question_set, settings, actor } = evaluation;
      await sql`
        insert into evaluations (id, subject, project, generation, question_set, settings, result, actor)
        values (${id}, ${subject}, ${project}, ${generation}, ${question_set}, ${sql.json(settings as never)},
          ${sql.json(emptyEvaluation())}, ${actor})
        on conflict (id) do nothing`;
    },

    async update(id: string, result: Partial<EvaluationResult>, generation: number | null = null): Promise<void> {
      await sql`
        update evaluations set result = result || ${sql.json(result)}, generation = coalesce(${generation}, generation)
        where id = ${id}`;
    },

    async find(id: string): Promise<StoredEvaluation | null> {
      const [row] = await sql<Row[]>`select ${columns(sql)}, result from evaluations where id = ${id}`;
      return row === undefined ? null : stored(row);
    },

    /** Newest first, without the single questions. `before`: the id of the last one of the page before. */
    async list(page: {
      subject?: string | undefined;
      before?: string | undefined;
      /** Of these projects only; null: of all, and of folders. */
      among: readonly string[] | null;
      limit: number;
    }): Promise<StoredEvaluation[]> {
      const rows = await sql<Row[]>`
        select ${columns(sql)}, result - 'answered' as result from evaluations
        where true ${page.subject === undefined ? sql`` : sql`and subject = ${page.subject}`}
        ${page.among === null ? sql`` : sql`and project = any(${[...page.among]})`}
        ${
          page.before === undefined
            ? sql``
            : sql`and (at, id) < (select at, id from evaluations where id = ${page.before})`
        }
        order by at desc, id desc limit ${page.limit}`;
      return rows.map(stored);
    },

    /** The last one of the same subject that came to its end before this one began. */
    async before(id: string): Promise<StoredEvaluation | null> {
      const [row] = await sql<Row[]>`
        select ${columns(sql)}, result from evaluations e
        where (subject, question_set) = (select subject, question_set from evaluations where id = ${id})
          and at < (select at from evaluations where id = ${id}) and result ->> 'state' = 'done'
        order by at desc, id desc limit 1`;
      return row === undefined ? null : stored(row);
    },
  };
}

function columns(sql: Sql) {
  return sql`id, subject, project, generation, question_set, settings, actor, at`;
}

function stored({ generation, result, ...row }: Row): StoredEvaluation {
  return {
    ...row,
    generation: generation === null ? null : Number(generation),
    // Rows of earlier versions lack what came later.
    result: { ...emptyEvaluation(), ...result },
  };
}
