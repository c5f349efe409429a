import type { Approval } from '../../domain/project/approval.ts';
import { namesOf } from '../../domain/project/names.ts';
import type { ProjectSpec, ProposalState } from '../../domain/project/schemas.ts';
import { storedSpec } from '../../domain/project/template.ts';
import type postgres from 'postgres';
import type { Sql } from './connect.ts';
import { note } from './outbox.ts';

export interface NewProposal {
  readonly id: string;
  readonly project: string;
  /** Of a refinement: what it was made from. null: a new project. */
  readonly base_version: number | null;
  readonly template: string | null;
  readonly spec: ProjectSpec;
  readonly reason: string | null;
  readonly external_id: string | null;
  readonly proposed_by: string;
  /** The id of the token. */
  readonly proposed_with: string;
}

export interface StoredProposal extends NewProposal {
  readonly kind: 'new' | 'refinement';
  readonly version: number | null;
  readonly state: ProposalState;
  readonly proposed_at: Date;
  readonly decided_by: string | null;
  readonly decided_at: Date | null;
  readonly decision_reason: string | null;
  readonly self_approved: boolean;
  /** Of the project now; null: there is none. */
  readonly current_version: number | null;
}

export interface TakenName {
  readonly name: string;
  readonly project: string;
}

/** Why a proposal does not fit what is there. */
export type Obstacle =
  | { readonly kind: 'unknown_proposal' }
  | { readonly kind: 'decided'; readonly state: ProposalState; readonly by: string | null }
  /** `version`: of the project now; null: there is none. */
  | { readonly kind: 'outdated'; readonly version: number | null }
  | { readonly kind: 'names_taken'; readonly taken: readonly TakenName[] }
  | { readonly kind: 'external_id_taken'; readonly project: string }
  | { readonly kind: 'refused'; readonly approval: Extract<Approval, { approved: false }> }
  | { readonly kind: 'not_the_proposer'; readonly proposed_by: string };

/** Thrown inside the transaction, which is undone. */
export class InTheWay extends Error {
  override readonly name = 'InTheWay';
  constructor(readonly obstacle: Obstacle) {
    super(obstacle.kind);
  }
}

interface Ending {
  readonly by: string;
  readonly reason: string | null;
}

type Statements = postgres.ISql;

export type RegistrationStore = ReturnType<typeof createRegistrationStore>;

/** Row W1: proposals and what became of them. Every decision is one transaction; what is in its way is thrown as InTheWay. */
export function createRegistrationStore(data: Sql) {
  return {
    /** The same id again is the same proposal. */
    propose: async (proposal: NewProposal): Promise<StoredProposal> => {
      await data.begin((tx) => propose(tx, proposal));
      return demand(data, proposal.id);
    },

    find: (id: string): Promise<StoredProposal | null> => findProposal(data, id),

    /** Newest first. `before`: the id of the last one of the page before. */
    async list(page: {
      before?: string | undefined;
      limit: number;
      state?: ProposalState | undefined;
      project?: string | undefined;
      /** Of these projects only; null: of all. */
      among: readonly string[] | null;
    }): Promise<StoredProposal[]> {
      const { before, limit, state, project, among } = page;
      const rows = await data<ProposalRow[]>`
        select ${columns(data)} from registrations r left join projects p on p.id = r.project where true
        ${state === undefined ? data`` : data`and r.state = ${state}`}
        ${project === undefined ? data`` : data`and r.project = ${project}`}
        ${among === null ? data`` : data`and r.project = any(${[...among]})`}
        ${
          before === undefined
            ? data``
            : data`and (r.proposed_at, r.id) < (select proposed_at, id from registrations where id = ${before})`
        }
        order by r.proposed_at desc, r.id desc limit ${limit}`;
      return rows.map(stored);
    },

    /** Puts it into force, if `judge` says so. By the same person a second time it changes nothing. */
    approve: async (
      id: string,
      reason: string | null,
      judge: (proposal: StoredProposal) => Approval,
    ): Promise<StoredProposal> => {
      await data.begin(async (tx) => {
        const proposal = await locked(tx, id);
        const approval = judge(proposal);
        if (!approval.approved) throw new InTheWay({ kind: 'refused', approval });
        if (proposal.state === 'approved' && proposal.decided_by === approval.by) return;
        demandOpen(proposal);
        const version = await putIntoForce(tx, proposal);
        await takeNames(tx, proposal);
        await end(
          tx,
          proposal,
          'approved',
          { by: approval.by, reason },
          { version, self_approved: approval.self_approved },
        );
      });
      return demand(data, id);
    },

    reject: async (id: string, ending: Ending): Promise<StoredProposal> => {
      await data.begin(async (tx) => {
        const proposal = await locked(tx, id);
        if (proposal.state === 'rejected' && proposal.decided_by === ending.by) return;
        demandOpen(proposal);
        await end(tx, proposal, 'rejected', ending);
      });
      return demand(data, id);
    },

    /** Only by whoever proposed it. */
    withdraw: async (id: string, ending: Ending): Promise<StoredProposal> => {
      await data.begin(async (tx) => {
        const proposal = await locked(tx, id);
        const { proposed_by } = proposal;
        if (proposed_by !== ending.by) throw new InTheWay({ kind: 'not_the_proposer', proposed_by });
        if (proposal.state === 'withdrawn') return;
        demandOpen(proposal);
        await end(tx, proposal, 'withdrawn', ending);
      });
      return demand(data, id);
    },
  };
}

/** Within a transaction of the caller's. False: it was there already. */
export async function propose(tx: Statements, proposal: NewProposal): Promise<boolean> {
  const { id, project, base_version, external_id, proposed_by } = proposal;
  const kind = base_version === null ? 'new' : 'refinement';
  if ((await findProposal(tx, id)) !== null) return false;
  const [now] = await tx<{ version: number }[]>`select version from projects where id = ${project} for share`;
  const version = now?.version ?? null;
  if (version !== base_version) throw new InTheWay({ kind: 'outdated', version });
  await refuseTaken(tx, proposal);
  await refuseForeign(tx, project, external_id);
  const rows = await tx`
    insert into registrations ${tx({ ...proposal, kind, spec: tx.json(proposal.spec) })}
    on conflict (id) do nothing returning id`;
  if (rows.length === 0) return false;
  const type = kind === 'new' ? 'project.proposed' : 'project.refinement_proposed';
  const data = { proposal_id: id, base_version, external_id, reason: proposal.reason };
  await note(tx, { type, subject: `project/${project}`, actor: proposed_by, data });
  return true;
}

export async function findProposal(tx: Statements, id: string): Promise<StoredProposal | null> {
  const [row] = await tx<ProposalRow[]>`
    select ${columns(tx)} from registrations r left join projects p on p.id = r.project where r.id = ${id}`;
  return row === undefined ? null : stored(row);
}

async function demand(tx: Statements, id: string): Promise<StoredProposal> {
  const proposal = await findProposal(tx, id);
  if (proposal === null) throw new InTheWay({ kind: 'unknown_proposal' });
  return proposal;
}

/** Read again behind the lock: the one that waited for it must see what the other did. */
async function locked(tx: Statements, id: string): Promise<StoredProposal> {
  await tx`select 1 from registrations where id = ${id} for update`;
  return demand(tx, id);
}

function demandOpen({ state, decided_by }: StoredProposal): void {
  if (state !== 'proposed') throw new InTheWay({ kind: 'decided', state, by: decided_by });
}

/** Its version now. Of several that were made from one version, the first one is it. */
async function putIntoForce(tx: Statements, { project, base_version, spec }: StoredProposal): Promise<number> {
  const json = tx.json(spec);
  const [row] =
    base_version === null
      ? await tx<{ version: number }[]>`
          insert into projects (id, version, spec) values (${project}, 1, ${json}) on conflict (id) do nothing
          returning version`
      : await tx<{ version: number }[]>`
          update projects set version = version + 1, spec = ${json}, updated_at = now()
          where id = ${project} and version = ${base_version} returning version`;
  if (row !== undefined) return row.version;
  const [now] = await tx<{ version: number }[]>`select version from projects where id = ${project}`;
  throw new InTheWay({ kind: 'outdated', version: now?.version ?? null });
}

/** One at a time: two that trade names would wait for each other for ever. */
async function takeNames(tx: Statements, proposal: StoredProposal): Promise<void> {
  const { project, spec } = proposal;
  const names = namesOf(project, spec.aliases);
  await tx`select pg_advisory_xact_lock(hashtext('holdfast.project_names'))`;
  await refuseTaken(tx, proposal);
  await tx`delete from project_names where project = ${project} and name <> all(${names})`;
  await tx`
    insert into project_names (name, project) select name, ${project} from unnest(${names}::text[]) as name
    on conflict (name) do nothing`;
}

async function refuseTaken(tx: Statements, { project, spec }: Pick<NewProposal, 'project' | 'spec'>): Promise<void> {
  const taken = await tx<TakenName[]>`
    select name, project from project_names
    where name = any(${namesOf(project, spec.aliases)}) and project <> ${project} order by name`;
  if (taken.length > 0) throw new InTheWay({ kind: 'names_taken', taken: [...taken] });
}

/** What an importer calls by one name is one project. */
async function refuseForeign(tx: Statements, project: string, externalId: string | null): Promise<void> {
  if (externalId === null) return;
  const [row] = await tx<{ project: string }[]>`
    select project from registrations
    where external_id = ${externalId} and project <> ${project} and state in ('proposed', 'approved') limit 1`;
  if (row !== undefined) throw new InTheWay({ kind: 'external_id_taken', project: row.project });
}

async function end(
  tx: Statements,
  { id, project, proposed_by }: StoredProposal,
  state: ProposalState,
  { by, reason }: Ending,
  given: { readonly version: number | null; readonly self_approved: boolean } = { version: null, self_approved: false },
): Promise<void> {
  await tx`
    update registrations set state = ${state}, version = ${given.version}, self_approved = ${given.self_approved},
      decided_by = ${by}, decided_at = now(), decision_reason = ${reason} where id = ${id}`;
  const data = { proposal_id: id, proposed_by, reason, ...(state === 'approved' ? given : {}) };
  await note(tx, { type: `project.${state}`, subject: `project/${project}`, actor: by, data });
}

type ProposalRow = Omit<StoredProposal, 'spec'> & { readonly spec: unknown };

function columns(sql: Statements) {
  return sql`r.id, r.project, r.kind, r.base_version, r.version, r.template, r.spec, r.reason, r.external_id, r.state,
    r.proposed_by, r.proposed_with, r.proposed_at, r.decided_by, r.decided_at, r.decision_reason, r.self_approved,
    p.version as current_version`;
}

function stored({ spec, ...row }: ProposalRow): StoredProposal {
  return { ...row, spec: storedSpec(spec) };
}
