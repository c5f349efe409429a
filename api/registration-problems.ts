import { InTheWay, type Obstacle } from '../adapters/postgres/registrations.ts';
import type { ApprovalRefusal } from '../domain/project/approval.ts';
import { ApiProblem } from './problem.ts';
import type { Misplaced } from './source-paths.ts';

/** For `.catch`: what stands in the way of a registration of this project, as the caller is told it. */
export function inTheWay(project: string): (error: unknown) => never {
  return (error) => {
    throw error instanceof InTheWay ? problemOf(project, error.obstacle) : error;
  };
}

/** What stands in the way, in words. */
export function sayObstacle(project: string, obstacle: Obstacle): string {
  return problemOf(project, obstacle).message;
}

export function misplaced(
  errors: readonly Misplaced[],
  kind: 'invalid_request' | 'conflict' = 'invalid_request',
): ApiProblem {
  const detail = errors.map(({ path, message }) => `${path}: ${message}`).join('; ');
  const next = 'move it, or allow its root with HOLDFAST_SOURCE_ROOTS and restart';
  return new ApiProblem(kind, detail, { errors: [...errors], next });
}

function problemOf(project: string, obstacle: Obstacle): ApiProblem {
  switch (obstacle.kind) {
    case 'unknown_proposal':
      return new ApiProblem('not_found', 'There is no such proposal.', { next: 'holdfast proposal list' });
    case 'decided': {
      const by = obstacle.by === null ? '' : ` by ${obstacle.by}`;
      return new ApiProblem('conflict', `This proposal was ${obstacle.state}${by} before.`);
    }
    case 'outdated':
      return outdated(project, obstacle.version);
    case 'names_taken': {
      const taken = obstacle.taken.map(({ name, project: of }) => `${name} is a name of the project ${of}`).join(', ');
      const errors = obstacle.taken.map(({ name, project: of }) => ({
        path: name === project ? 'project' : 'spec.aliases',
        message: `${name}: a name of ${of}`,
      }));
      return new ApiProblem('conflict', `${taken}.`, { errors });
    }
    case 'external_id_taken':
      return new ApiProblem('conflict', `This external id is that of the project ${obstacle.project}.`);
    case 'refused':
      return refused(obstacle.approval.refusal, obstacle.approval.others);
    case 'not_the_proposer':
      return new ApiProblem(
        'forbidden',
        `Only ${obstacle.proposed_by}, who proposed it, withdraws it; an operator rejects it.`,
      );
  }
}

function outdated(project: string, version: number | null): ApiProblem {
  if (version === null) return new ApiProblem('conflict', `${project} is not registered: propose it as a new project.`);
  const next = `holdfast project show ${project}, then holdfast project refine ${project} --base ${version}`;
  return new ApiProblem('conflict', `${project} is registered in version ${version}, and this was not made from it.`, {
    next,
  });
}

function refused(refusal: ApprovalRefusal, others: readonly string[]): ApiProblem {
  switch (refusal) {
    case 'token_gone':
      return new ApiProblem('unauthenticated', 'This token was revoked or ran out while it asked.');
    case 'role_too_weak':
      return new ApiProblem('forbidden', 'Approving needs the role operator.');
    case 'own_proposal': {
      const who = others.slice(0, 5).join(', ');
      return new ApiProblem('conflict', `Who proposes does not approve: ${who} can.`, { next: 'ask one of them' });
    }
    case 'self_approval_not_asked_for': {
      const next = 'the same with --self-approve (self_approve: true), or holdfast token create for a second person';
      return new ApiProblem('conflict', 'Who proposes does not approve, and nobody else can: say that it is meant.', {
        next,
      });
    }
  }
}
