import type { OverrideRefusal } from '../../domain/deploy/override.ts';
import type { Sql } from './connect.ts';
import { createEventStore } from './events.ts';

export interface NewOverride {
  readonly id: string;
  readonly deploy_id: string;
  readonly action: string;
  readonly target: string | null;
  readonly extend_ms: number | null;
  readonly force: boolean;
  readonly reason: string;
  readonly actor: string;
  readonly role: string;
  readonly expires_at: string | null;
}

export interface OverrideAnswer {
  readonly accepted: boolean;
  readonly refusal: OverrideRefusal | null;
}

export interface StoredOverride extends Omit<NewOverride, 'expires_at'> {
  readonly expires_at: Date | null;
  /** null: the run has not said yet. */
  readonly accepted: boolean | null;
  readonly refusal: OverrideRefusal | null;
  readonly at: Date;
}

export type OverrideStore = ReturnType<typeof createOverrideStore>;

/** What people said to runs (row D9): written before the run hears of it, and kept when it was refused. */
export function createOverrideStore(sql: Sql) {
  return {
    async submit(override: NewOverride): Promise<void> {
      await sql`
        insert into overrides ${sql({ ...override })} on conflict (id) do nothing`;
    },

    /** The run's word, and with it the audit's; the first one counts. */
    answer: (id: string, { accepted, refusal }: OverrideAnswer): Promise<void> =>
      sql.begin(async (tx) => {
        const [row] = await tx<(StoredOverride & { service: string | null })[]>`
          update overrides set accepted = ${accepted}, refusal = ${refusal} where id = ${id} and accepted is null
          returning *, (select service from deploys where deploys.id = overrides.deploy_id) as service`;
        if (row === undefined) return;
        const { action, target, extend_ms, force, reason, actor, deploy_id, service } = row;
        await createEventStore(tx).append({
          type: accepted ? 'override.accepted' : 'override.refused',
          ...{ subject: `service/${service ?? 'unknown'}`, actor, deploy_id, once: `override/${id}` },
          data: {
            action,
            target,
            extend_ms,
            force,
            reason,
            refusal,
            expires_at: row.expires_at?.toISOString() ?? null,
          },
        });
      }),

    find: async (id: string): Promise<StoredOverride | null> =>
      (await sql<StoredOverride[]>`select * from overrides where id = ${id}`)[0] ?? null,

    /** Oldest first. */
    list: (deployId: string): Promise<StoredOverride[]> =>
      sql<StoredOverride[]>`select * from overrides where deploy_id = ${deployId} order by at, id`,
  };
}
