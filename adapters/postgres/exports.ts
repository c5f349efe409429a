import type { TransferLine } from '../../domain/project/transfer.ts';
import type { Sql } from './connect.ts';
import { storedSpec } from '../../domain/project/template.ts';

/** Behind which line a page goes on: a project, and the name of one of its question sets, empty for its registration. */
export type ExportPosition = readonly [project: string, name: string];

export interface ExportedLine {
  readonly position: ExportPosition;
  readonly line: TransferLine;
}

interface Row {
  readonly project: string;
  readonly name: string;
  readonly version: number;
  readonly template: string | null;
  readonly external_id: string | null;
  readonly spec: unknown;
  readonly questions: never;
}

export type ExportStore = ReturnType<typeof createExportStore>;

/** Row C11: what is in force, a project's registration before its question sets. */
export function createExportStore(data: Sql) {
  return {
    /** `box`: of whoever asks; `after`: two empty texts for the first page. A registration of that box names none, so that it can be imported on another machine. */
    async lines(box: string, { after, limit }: { after: ExportPosition; limit: number }): Promise<ExportedLine[]> {
      const [project, name] = after;
      const rows = await data<Row[]>`
        select * from (
          select p.id as project, '' as name, p.version, p.spec, null::jsonb as questions, r.template,
            (select x.external_id from registrations x where x.project = p.id and x.external_id is not null
              and x.state = 'approved' order by x.version desc limit 1) as external_id
          from projects p left join registrations r on r.project = p.id and r.version = 1
          union all
          select project, name, 0, null, questions, null, null from question_sets
        ) as lines
        where (project, name) > (${project}, ${name}) order by project, name limit ${limit}`;
      return rows.map((row) => ({ position: [row.project, row.name], line: lineOf(row, box) }));
    },
  };
}

function lineOf({ project, name, version, template, external_id, spec, questions }: Row, box: string): TransferLine {
  if (name !== '') return { kind: 'question_set', external_id: `${project}/${name}`, project, name, questions };
  const { box: its, ...rest } = storedSpec(spec);
  return {
    ...{ kind: 'registration', external_id: external_id ?? project, project, version, template },
    spec: its === box ? rest : { ...rest, box: its },
  };
}
