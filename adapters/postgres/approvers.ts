import type { Standing } from '../../domain/project/approval.ts';
import { allows, roles, type Role } from '../../domain/role.ts';
import type { Sql } from './connect.ts';

export type Approvers = ReturnType<typeof createApprovers>;

const able = roles.filter((role) => allows(role, 'operator'));

/** Who may approve, out of the tokens of the operations database. */
export function createApprovers(ops: Sql) {
  return {
    /**
     * Does the work while none of the tokens that counted can be revoked: a revocation waits until it is done. Those that are
     * for other projects do not count.
     */
    whileTheyStand: async <T>(
      { tokenId, project }: { readonly tokenId: string; readonly project: string },
      work: (standing: Standing) => Promise<T>,
    ): Promise<T> =>
      (await ops.begin(async (tx) => {
        const live = await tx<{ id: string; actor: string; role: Role }[]>`
          select id, actor, role from tokens
          where role = any(${able}) and revoked_at is null and coalesce(expires_at > now(), true)
            and (projects is null or ${project} = any(projects))
          order by id for share`;
        const approver = live.find(({ id }) => id === tokenId) ?? null;
        const people = [...new Set(live.map(({ actor }) => actor))].sort();
        return work({ approver, people });
      })) as T,
  };
}
