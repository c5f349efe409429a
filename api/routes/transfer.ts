import { z } from 'zod';
import type { ExportStore } from '../../adapters/postgres/exports.ts';
import type { Imported, ImportStore, ReadyLine } from '../../adapters/postgres/imports.ts';
import type { Outbox } from '../../adapters/postgres/outbox.ts';
import { projectSpecSchema } from '../../domain/project/schemas.ts';
import { filledIn, templates } from '../../domain/project/template.ts';
import { transferLineSchema, type LineResult } from '../../domain/project/transfer.ts';
import { page, readCursor } from '../page.ts';
import { invalid } from '../problem.ts';
import { misplaced, sayObstacle } from '../registration-problems.ts';
import type { Route } from '../route.ts';
import type { MisplacedSources } from '../source-paths.ts';

export interface TransferRouteDeps {
  readonly exports: ExportStore;
  readonly imports: ImportStore;
  readonly outbox: Outbox;
  readonly misplacedSources: MisplacedSources;
  readonly box: string;
}

const positionSchema = z.string().regex(/^[a-z0-9-]+\/[a-z0-9-]*$/);

/** Row C11. */
export function transferRoutes(route: Route, deps: TransferRouteDeps): void {
  const { exports, imports, outbox, box } = deps;

  route('export_read', async ({ query: { limit, cursor } }) => {
    const [project = '', name = ''] = readCursor('export_read', cursor, positionSchema)?.split('/') ?? [];
    const found = await exports.lines(box, { after: [project, name], limit: limit + 1 });
    const body = page(
      'export_read',
      found,
      limit,
      ({ position }) => position.join('/'),
      ({ line }) => line,
    );
    return { status: 200, body };
  });

  route('import_apply', async ({ body: { dry_run, lines }, caller }) => {
    const read = await Promise.all(lines.map((line, at) => readLine(deps, line, at)));
    const ready = read.filter((line): line is ReadyLine => !('refused' in line));
    const done = await imports.apply(ready, { actor: caller.actor, token_id: caller.id }, dry_run);
    if (!dry_run) await outbox.carry();
    const byLine = new Map(done.map((one) => [one.at, one]));
    const results = read.map((line) => ('refused' in line ? line.refused : resultOf(line, byLine.get(line.at))));
    return { status: 200, body: { dry_run, lines: results } };
  });
}

interface Refused {
  readonly refused: LineResult;
}

async function readLine(
  { misplacedSources, box }: TransferRouteDeps,
  given: unknown,
  at: number,
): Promise<ReadyLine | Refused> {
  const parsed = transferLineSchema.safeParse(given);
  if (!parsed.success) return refusal(at, given, invalid(parsed.error).message);
  const line = parsed.data;
  if (line.kind === 'question_set') return { at, line };
  const spec = projectSpecSchema.safeParse(filledIn(line.spec, templates.plain, box));
  if (!spec.success) return refusal(at, given, `spec: ${invalid(spec.error).message}`);
  const wrong = await misplacedSources(spec.data);
  if (wrong.length > 0) return refusal(at, given, misplaced(wrong).message);
  return { at, line, spec: spec.data };
}

function refusal(at: number, given: unknown, detail: string): Refused {
  const { kind, project } = z
    .object({ kind: z.string().nullable().catch(null), project: z.string().nullable().catch(null) })
    .catch({ kind: null, project: null })
    .parse(given);
  return { refused: { line: at + 1, kind, project, outcome: 'refused', proposal_id: null, detail } };
}

function resultOf({ at, line }: ReadyLine, done: Imported | undefined): LineResult {
  if (done === undefined) throw new Error(`line ${at + 1} was not imported`);
  const { outcome, proposal_id, obstacle } = done;
  const waits = outcome === 'waiting' ? `${line.project} is not approved yet: import this line again then` : null;
  const detail = obstacle === null ? waits : sayObstacle(line.project, obstacle);
  return { line: at + 1, kind: line.kind, project: line.project, outcome, proposal_id, detail };
}
