import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Approvers } from '../../adapters/postgres/approvers.ts';
import type { Outbox } from '../../adapters/postgres/outbox.ts';
import type { ProjectStore } from '../../adapters/postgres/projects.ts';
import type { NewProposal, RegistrationStore, StoredProposal } from '../../adapters/postgres/registrations.ts';
import type { Caller } from '../../adapters/postgres/tokens.ts';
import { judgeApproval } from '../../domain/project/approval.ts';
import { projectSpecSchema, type Proposal, type ProjectSpec } from '../../domain/project/schemas.ts';
import { filledIn, refined, templates } from '../../domain/project/template.ts';
import { uuidv5 } from '../../domain/uuid.ts';
import { page, readCursor } from '../page.ts';
import { ApiProblem, invalid } from '../problem.ts';
import { inTheWay, misplaced } from '../registration-problems.ts';
import type { Route } from '../route.ts';
import type { MisplacedSources } from '../source-paths.ts';
import { knownProject } from './project.ts';

export interface ProposalRouteDeps {
  readonly projects: ProjectStore;
  readonly registrations: RegistrationStore;
  readonly approvers: Approvers;
  readonly outbox: Outbox;
  readonly misplacedSources: MisplacedSources;
  /** Of a project that names none. */
  readonly box: string;
}

/** Any fixed uuid; another one would make old idempotency keys propose anew. */
const namespace = '0b0d2f7e-5a0c-4d0e-9c3a-6f4e3f0f2b61';

/** Row W1: who may propose, who approves, and what stands in the way. */
export function proposalRoutes(route: Route, deps: ProposalRouteDeps): void {
  const { projects, registrations, approvers, outbox, misplacedSources, box } = deps;

  async function placed(spec: ProjectSpec): Promise<ProjectSpec> {
    const wrong = await misplacedSources(spec);
    if (wrong.length > 0) throw misplaced(wrong);
    return spec;
  }

  async function propose(proposal: NewProposal) {
    const stored = await registrations.propose(proposal).catch(inTheWay(proposal.project));
    await outbox.carry();
    return { status: 201, body: show(stored), location: `/v1/projects/proposals/${stored.id}` };
  }

  route('project_propose', async ({ body, caller, key }) => {
    const { project, template, reason = null } = body;
    const spec = await placed(whole(filledIn(body.spec, templates[template], box)));
    return propose({ ...submitted(caller, key), project, base_version: null, template, spec, reason });
  });

  route('project_refine_propose', async ({ params, body, caller, key }) => {
    const { project, resolved_by, version, spec: base } = await knownProject(projects, params.id);
    const { base_version, reason } = body;
    const ids = submitted(caller, key);
    // Whether this version is still the one is decided where the proposal is written.
    const spec = version === base_version ? await placed(whole(refined(base, body.spec))) : base;
    const answer = await propose({ ...ids, project, base_version, template: null, spec, reason });
    return { ...answer, body: { ...answer.body, resolved_by } };
  });

  route('proposal_list', async ({ query: { limit, cursor, state, project }, caller }) => {
    const before = readCursor('proposal_list', cursor, z.uuid());
    const named = project === undefined ? undefined : ((await projects.resolve(project))?.project ?? project);
    const found = await registrations.list({ limit: limit + 1, before, state, project: named, among: caller.projects });
    return { status: 200, body: page('proposal_list', found, limit, ({ id }) => id, show) };
  });

  route('proposal_show', async ({ params }) => ({ status: 200, body: show(await known(registrations, params.id)) }));

  route('proposal_approve', async ({ params: { id }, body, caller }) => {
    const { project, spec } = await known(registrations, id);
    const wrong = await misplacedSources(spec);
    if (wrong.length > 0) throw misplaced(wrong, 'conflict');
    const { self_approve, reason = null } = body;
    const approved = await approvers
      .whileTheyStand({ tokenId: caller.id, project }, (standing) =>
        registrations.approve(id, reason, ({ proposed_by }) => judgeApproval(proposed_by, standing, self_approve)),
      )
      .catch(inTheWay(project));
    await outbox.carry();
    return { status: 200, body: show(approved) };
  });

  route('proposal_reject', async ({ params: { id }, body: { reason }, caller }) => {
    const { project } = await known(registrations, id);
    const rejected = await registrations.reject(id, { by: caller.actor, reason }).catch(inTheWay(project));
    await outbox.carry();
    return { status: 200, body: show(rejected) };
  });

  route('proposal_withdraw', async ({ params: { id }, body: { reason = null }, caller }) => {
    const { project } = await known(registrations, id);
    const withdrawn = await registrations.withdraw(id, { by: caller.actor, reason }).catch(inTheWay(project));
    await outbox.carry();
    return { status: 200, body: show(withdrawn) };
  });
}

/** The same idempotency key is the same proposal, even when the process that answered it died before it noted that down. */
function submitted({ id, actor }: Caller, key: string | null) {
  const proposal = key === null ? randomUUID() : uuidv5(namespace, `${id}\n${key}`);
  return { id: proposal, external_id: null, proposed_by: actor, proposed_with: id };
}

function whole(spec: unknown): ProjectSpec {
  const parsed = z.object({ spec: projectSpecSchema }).safeParse({ spec });
  if (!parsed.success) throw invalid(parsed.error);
  return parsed.data.spec;
}

async function known(registrations: RegistrationStore, id: string): Promise<StoredProposal> {
  const proposal = await registrations.find(id);
  if (proposal === null)
    throw new ApiProblem('not_found', `There is no proposal ${id}.`, { next: 'holdfast proposal list' });
  return proposal;
}

function show({ proposed_at, decided_at, ...proposal }: StoredProposal): Proposal {
  const { id, project, kind, base_version, version, template, spec, reason, state, external_id } = proposal;
  const { proposed_by, decided_by, decision_reason, self_approved, current_version } = proposal;
  return {
    ...{ id, project, kind, base_version, version, template, spec, reason, state, external_id },
    ...{ proposed_by, decided_by, decision_reason, self_approved },
    outdated: state === 'proposed' && base_version !== current_version,
    proposed_at: proposed_at.toISOString(),
    decided_at: decided_at?.toISOString() ?? null,
  };
}
