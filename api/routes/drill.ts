import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { DrillStore, StoredDrill } from '../../adapters/postgres/drills.ts';
import type { DrillStarts } from '../../adapters/temporal/drills.ts';
import { RunInTheWay } from '../../adapters/temporal/start-alone.ts';
import { actions } from '../../domain/action.ts';
import type { DrillInput } from '../../domain/drill/run.ts';
import type { Drill } from '../../domain/drill/schemas.ts';
import { idOfRequest } from '../../domain/request-id.ts';
import { page, readCursor } from '../page.ts';
import { ApiProblem } from '../problem.ts';
import type { Route } from '../route.ts';
import { busyWith, type Runs } from '../runs.ts';

export interface DrillRouteDeps {
  readonly drills: DrillStore;
  readonly drillStarts: DrillStarts;
  readonly runs: Runs;
  /** Where points are kept. */
  readonly box: string;
}

/** Row B9. */
export function drillRoutes(route: Route, { drills, drillStarts, runs, box }: DrillRouteDeps): void {
  const show = showDrill(runs);

  /** The run first, then its row, as with waves. */
  async function open(input: DrillInput): Promise<StoredDrill> {
    const before = await drills.find(input.drill_id);
    if (before !== null) return before;
    const run = await drillStarts.start(input).catch((error: unknown) => {
      if (error instanceof RunInTheWay && error.record_id === input.drill_id) return error.run;
      return busyWith(runs, 'drill', '')(error);
    });
    await drills.open(input, run);
    const opened = await drills.find(input.drill_id);
    if (opened === null) throw new Error(`drill ${input.drill_id} was opened and is not there`);
    return opened;
  }

  route('drill_start', async ({ body, caller: { id, actor }, key }) => {
    if (body.level === 'live' && !body.confirm_live) {
      const message =
        'what is written between the backup and the restore of a live drill is lost to the live side: true';
      throw new ApiProblem('invalid_request', `confirm_live: ${message}`, {
        errors: [{ path: 'confirm_live', message }],
      });
    }
    const drill_id = key === null ? randomUUID() : idOfRequest(id, key);
    const drill = await open({ drill_id, box, actor, trigger: 'operator', request: body });
    return { status: 202, body: show(drill), location: `/v1/drills/${drill_id}` };
  });

  route('drill_list', async ({ query: { limit, cursor, level } }) => {
    const before = readCursor('drill_list', cursor, z.uuid());
    const found = await drills.list({ level, before, limit: limit + 1 });
    return { status: 200, body: page('drill_list', found, limit, ({ id }) => id, show) };
  });

  route('drill_show', async ({ params: { id } }) => {
    const drill = await drills.find(id);
    if (drill !== null) return { status: 200, body: show(drill) };
    throw new ApiProblem('not_found', `There is no drill ${id}.`, { next: `holdfast ${actions.drill_list.command}` });
  });
}

function showDrill(runs: Runs): (drill: StoredDrill) => Drill {
  return ({ requested_at, closed_at, evidence, ...drill }) => ({
    ...drill,
    run_url: drill.run_id === null ? null : runs.urlOf({ workflow_id: drill.workflow_id, run_id: drill.run_id }),
    requested_at: requested_at.toISOString(),
    closed_at: closed_at?.toISOString() ?? null,
    evidence: evidence.map(({ at, ...check }) => ({ ...check, at: at.toISOString() })),
  });
}
