import { canonicalJson } from '../../domain/canonical-json.ts';
import type { ProjectSpec } from '../../domain/project/schemas.ts';
import {
  importedProposalId,
  type LineOutcome,
  type QuestionSetLine,
  type RegistrationLine,
} from '../../domain/project/transfer.ts';
import type postgres from 'postgres';
import type { Sql } from './connect.ts';
import { createProjectStore } from './projects.ts';
import { putQuestions } from './question-sets.ts';
import { findProposal, InTheWay, propose, type Obstacle } from './registrations.ts';

/** A line that was understood, and of a registration its whole specification. */
export type ReadyLine =
  | { readonly at: number; readonly line: QuestionSetLine }
  | { readonly at: number; readonly line: RegistrationLine; readonly spec: ProjectSpec };

export interface Imported {
  readonly at: number;
  readonly outcome: LineOutcome;
  readonly proposal_id: string | null;
  readonly obstacle: Obstacle | null;
}

interface Importer {
  readonly actor: string;
  readonly token_id: string;
}

type Done = Pick<Imported, 'outcome'> & { readonly proposal_id?: string };

/** Undoes what was only to be tried. */
class Tried extends Error {}

export type ImportStore = ReturnType<typeof createImportStore>;

/** Row C11. Nothing imported is in force by that: a registration is a proposal like any other (row W1). */
export function createImportStore(data: Sql) {
  return {
    /** All lines in one transaction; a line that does not fit is left out of it. A dry run does the same and undoes it. */
    async apply(lines: readonly ReadyLine[], importer: Importer, dryRun: boolean): Promise<Imported[]> {
      const done: Imported[] = [];
      await data
        .begin(async (tx) => {
          for (const line of lines) done.push(await applyOne(tx, line, importer));
          if (dryRun) throw new Tried();
        })
        .catch((error: unknown) => {
          if (!(error instanceof Tried)) throw error;
        });
      return done;
    },
  };
}

async function applyOne(tx: postgres.TransactionSql, ready: ReadyLine, importer: Importer): Promise<Imported> {
  const { at } = ready;
  try {
    const { outcome, proposal_id = null } = await tx.savepoint((point) =>
      'spec' in ready ? register(point, ready, importer) : store(point, ready.line, importer),
    );
    return { at, outcome, proposal_id, obstacle: null };
  } catch (error) {
    if (!(error instanceof InTheWay)) throw error;
    return { at, outcome: 'refused', proposal_id: null, obstacle: error.obstacle };
  }
}

async function register(
  tx: postgres.ISql,
  { line, spec }: { readonly line: RegistrationLine; readonly spec: ProjectSpec },
  { actor, token_id }: Importer,
): Promise<Done> {
  const { project, external_id = null, template = null, reason = null } = line;
  const now = await createProjectStore(tx).find(project);
  if (now !== null && canonicalJson(now.spec) === canonicalJson(spec)) return { outcome: 'unchanged' };
  const base_version = now?.version ?? null;
  const id = importedProposalId(line, base_version, spec);
  const who = { proposed_by: actor, proposed_with: token_id };
  const isNew = await propose(tx, { id, project, base_version, template, spec, reason, external_id, ...who });
  const before = isNew ? null : await findProposal(tx, id);
  if (before !== null && before.state !== 'proposed')
    throw new InTheWay({ kind: 'decided', state: before.state, by: before.decided_by });
  return { outcome: isNew ? 'proposed' : 'unchanged', proposal_id: id };
}

async function store(
  tx: postgres.ISql,
  { project, name, questions }: QuestionSetLine,
  { actor }: Importer,
): Promise<Done> {
  if ((await createProjectStore(tx).find(project)) === null) return { outcome: 'waiting' };
  const done = await putQuestions(tx, { project, name, questions }, actor);
  return { outcome: done === 'unchanged' ? done : 'stored' };
}
