import { randomUUID } from 'node:crypto';
import { createApprovers } from '../../../adapters/postgres/approvers.ts';
import { createEventStore } from '../../../adapters/postgres/events.ts';
import { createOutbox } from '../../../adapters/postgres/outbox.ts';
import { createProjectStore } from '../../../adapters/postgres/projects.ts';
import { createRegistrationStore, InTheWay, type NewProposal } from '../../../adapters/postgres/registrations.ts';
import { createTokenStore } from '../../../adapters/postgres/tokens.ts';
import { judgeApproval } from '../../../domain/project/approval.ts';
import { projectSpecSchema, type GivenSpec, type ProjectSpec } from '../../../domain/project/schemas.ts';
import { filledIn, templates } from '../../../domain/project/template.ts';
import { freshDatabases } from '../../support/servers.ts';

export const specOf = (given: GivenSpec = {}): ProjectSpec =>
  projectSpecSchema.parse(
    filledIn({ title: 'T', sources: [{ kind: 'upload', name: 'files' }], ...given }, templates.plain, 'here'),
  );

/** What stood in the way; fails when nothing did. */
export async function obstacleOf(work: Promise<unknown>) {
  try {
    await work;
  } catch (error) {
    if (error instanceof InTheWay) return error.obstacle;
    throw error;
  }
  throw new Error('nothing was in the way');
}

/** The registry over databases of its own, without an API in front of it. */
export async function startRegistry() {
  const databases = await freshDatabases();
  const { data, ops } = databases;
  const events = createEventStore(ops);
  const stores = {
    projects: createProjectStore(data),
    registrations: createRegistrationStore(data),
    approvers: createApprovers(ops),
    tokens: createTokenStore(ops),
    outbox: createOutbox(data, events),
    events,
  };
  const { registrations, approvers } = stores;

  const propose = (project: string, by: string, more: Partial<NewProposal> = {}) =>
    registrations.propose({
      ...{ id: randomUUID(), project, base_version: null, template: null, spec: specOf(), reason: null },
      ...{ external_id: null, proposed_by: by, proposed_with: 'a token' },
      ...more,
    });
  const approve = async (id: string, tokenId: string, selfApprove = false) => {
    const project = (await registrations.find(id))?.project ?? '';
    return approvers.whileTheyStand({ tokenId, project }, (standing) =>
      registrations.approve(id, null, ({ proposed_by }) => judgeApproval(proposed_by, standing, selfApprove)),
    );
  };

  return {
    ...databases,
    ...stores,
    propose,
    approve,
    /** A live token; its id. */
    async person(actor: string, role: 'agent' | 'operator' | 'admin' = 'operator', expires_at: Date | null = null) {
      return (await stores.tokens.create({ actor, role, expires_at })).row.id;
    },
    /** Approved by somebody else. */
    async registered(project: string, spec: ProjectSpec = specOf()) {
      const { row } = await stores.tokens.create({ actor: 'registrar', role: 'operator' });
      const { id } = await propose(project, 'somebody', { spec });
      await approve(id, row.id);
      await stores.tokens.revoke(row.id);
    },
    names: () => data<{ name: string; project: string }[]>`select name, project from project_names order by name`,
  };
}

export type Registry = Awaited<ReturnType<typeof startRegistry>>;
