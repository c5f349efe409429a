import fc from 'fast-check';
import { judgeApproval } from '../../../domain/project/approval.ts';
import { allows, roles } from '../../../domain/role.ts';

const anna = { actor: 'anna', role: 'operator' } as const;

test('W1 who proposes does not approve while somebody else can', () => {
  for (const selfApprove of [false, true]) {
    expect(judgeApproval('anna', { approver: anna, people: ['anna', 'bob'] }, selfApprove)).toEqual({
      approved: false,
      refusal: 'own_proposal',
      others: ['bob'],
    });
  }
  const bob = { actor: 'bob', role: 'admin' } as const;
  expect(judgeApproval('anna', { approver: bob, people: ['anna', 'bob'] }, false)).toEqual({
    ...{ approved: true, by: 'bob', self_approved: false },
  });
});

test('W1 where there is one, self_approve is said and recorded; it is no self-approval of what others proposed', () => {
  const alone = { approver: anna, people: ['anna'] };
  expect(judgeApproval('anna', alone, false)).toMatchObject({
    approved: false,
    refusal: 'self_approval_not_asked_for',
  });
  expect(judgeApproval('anna', alone, true)).toEqual({ approved: true, by: 'anna', self_approved: true });
  expect(judgeApproval('agent', alone, true)).toEqual({ approved: true, by: 'anna', self_approved: false });
});

test('W1 an agent never approves, nor does a token that is gone', () => {
  const agent = { actor: 'codex', role: 'agent' } as const;
  expect(judgeApproval('anna', { approver: agent, people: ['anna'] }, true)).toMatchObject({
    refusal: 'role_too_weak',
  });
  expect(judgeApproval('bob', { approver: null, people: ['anna'] }, true)).toMatchObject({ refusal: 'token_gone' });
});

test('W1 whatever the standing: approved only by an operator, and never by the proposer while there is another person', () => {
  const actor = fc.constantFrom('anna', 'bob', 'codex');
  const standing = fc.record({
    approver: fc.option(fc.record({ actor, role: fc.constantFrom(...roles) })),
    people: fc.uniqueArray(actor),
  });
  fc.assert(
    fc.property(actor, standing, fc.boolean(), (proposer, { approver, people }, selfApprove) => {
      const judged = judgeApproval(proposer, { approver, people }, selfApprove);
      if (!judged.approved) return;
      expect(approver).not.toBeNull();
      expect(allows(approver?.role ?? 'viewer', 'operator')).toBe(true);
      expect(judged.self_approved).toBe(judged.by === proposer);
      if (judged.self_approved) expect([selfApprove, people.filter((one) => one !== proposer)]).toEqual([true, []]);
    }),
    { numRuns: 2_000 },
  );
});
