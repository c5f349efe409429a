import { allows, type Role } from '../role.ts';

/** Who stands where at the instant of a decision. */
export interface Standing {
  /** Whose token asks; null: it was revoked or ran out since it was let in. */
  readonly approver: { readonly actor: string; readonly role: Role } | null;
  /** Everybody with a live token of role operator or above. */
  readonly people: readonly string[];
}

export type ApprovalRefusal = 'token_gone' | 'role_too_weak' | 'own_proposal' | 'self_approval_not_asked_for';

export type Approval =
  | { readonly approved: true; readonly by: string; readonly self_approved: boolean }
  | { readonly approved: false; readonly refusal: ApprovalRefusal; readonly others: readonly string[] };

/**
 * Row W1: who proposes does not approve. Only where nobody else could, and only when asked to, somebody approves what was
 * proposed under the same name, by whichever of their tokens.
 */
export function judgeApproval(proposedBy: string, { approver, people }: Standing, selfApprove: boolean): Approval {
  const others = people.filter((actor) => actor !== approver?.actor);
  const refuse = (refusal: ApprovalRefusal): Approval => ({ approved: false, refusal, others });
  if (approver === null) return refuse('token_gone');
  if (!allows(approver.role, 'operator')) return refuse('role_too_weak');
  if (approver.actor !== proposedBy) return { approved: true, by: approver.actor, self_approved: false };
  if (others.length > 0) return refuse('own_proposal');
  if (!selfApprove) return refuse('self_approval_not_asked_for');
  return { approved: true, by: approver.actor, self_approved: true };
}
