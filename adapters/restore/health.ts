import type { RestoreReference } from '../../domain/restore/run.ts';
import { connect, databaseUrl, type Sql } from '../postgres/connect.ts';
import { databaseIncarnation } from '../postgres/database-incarnation.ts';
import type { SearchFunction } from '../search/search.ts';

export interface HealthDeps {
  readonly postgresUrl: string;
  readonly database: string;
  /** As the application has it, over that database. */
  readonly searchIn: (data: Sql) => SearchFunction;
  /** What the API of this installation says of itself; null: none answers, as in a restore without one. */
  readonly askApi: (signal: AbortSignal) => Promise<{ readonly ok: boolean; readonly reason: string } | null>;
}

export type RestoreHealth = ReturnType<typeof createRestoreHealth>;

/** How many projects are asked a question. */
const askedProjects = 20;

/** Is what is live now well, by the ways in which the application uses it? */
export function createRestoreHealth({ postgresUrl, database, searchIn, askApi }: HealthDeps) {
  /** A question out of a chunk that is to be seen has to find something. */
  async function searches(data: Sql, signal: AbortSignal): Promise<{ asked: number; silent: string[] }> {
    const rows = await data<{ project: string; generation: string; text: string }[]>`
      select p.id as project, p.visible as generation, c.text from projects p
      join lateral (
        select text from chunks where project = p.id and born <= p.visible and died > p.visible
        and text ~ '[[:alpha:]]{4}' order by id limit 1
      ) c on true
      where p.visible > 0 order by p.id limit ${askedProjects}`;
    const search = searchIn(data);
    const silent: string[] = [];
    for (const { project, text } of rows) {
      signal.throwIfAborted();
      const scopes = [{ asked: project, project, generation: null }];
      const { hits } = await search({ query: text.slice(0, 200), scopes, limit: 3, kind: null } as never);
      if (hits.length === 0) silent.push(project);
    }
    return { asked: rows.length, silent };
  }

  return async (_ref: RestoreReference, signal: AbortSignal) => {
    const data = connect(databaseUrl(postgresUrl, database), { name: 'holdfast-restore-health', max: 2 });
    try {
      const incarnation = await databaseIncarnation(data);
      const { asked, silent } = await searches(data, signal);
      const api = await askApi(signal);
      const wrong = [
        ...(silent.length === 0 ? [] : [`nothing is found in ${silent.join(', ')}`]),
        ...(api === null || api.ok ? [] : [`the API: ${api.reason}`]),
      ];
      const detail = { incarnation, projects_asked: asked, api: api?.reason ?? 'none answers' };
      const said = `${asked} projects answer${api === null ? '' : ', and so does the API'}`;
      return { ok: wrong.length === 0, reason: wrong.length === 0 ? said : wrong.join('; '), detail };
    } finally {
      await data.end();
    }
  };
}
