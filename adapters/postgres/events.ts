import type { EventPhase } from '../../domain/deploy/words.ts';
import type postgres from 'postgres';

export interface NewEvent {
  readonly type: string;
  readonly phase?: EventPhase | null;
  readonly subject: string;
  readonly actor: string;
  readonly deploy_id?: string | null;
  readonly wave_id?: string | null;
  readonly backup_id?: string | null;
  readonly restore_id?: string | null;
  readonly data?: Readonly<Record<string, unknown>>;
  /** Two appends with the same key are one event: what a retried activity writes again. */
  readonly once?: string;
  /** Default: now. */
  readonly at?: Date;
}

export interface StoredEvent {
  readonly id: number;
  readonly at: Date;
  readonly type: string;
  readonly phase: EventPhase | null;
  readonly subject: string;
  readonly actor: string;
  readonly deploy_id: string | null;
  readonly wave_id: string | null;
  readonly backup_id: string | null;
  readonly restore_id: string | null;
  readonly data: Record<string, unknown>;
}

export type EventStore = ReturnType<typeof createEventStore>;

/** The append-only audit (row D13). */
export function createEventStore(sql: postgres.ISql) {
  return {
    async append(event: NewEvent): Promise<void> {
      await sql`
        insert into events (type, phase, subject, actor, deploy_id, wave_id, backup_id, restore_id, data, once, at)
        values (${event.type}, ${event.phase ?? null}, ${event.subject}, ${event.actor}, ${event.deploy_id ?? null},
          ${event.wave_id ?? null}, ${event.backup_id ?? null}, ${event.restore_id ?? null}, ${sql.json((event.data ?? {}) as never)}, ${event.once ?? null},
          coalesce(${event.at ?? null}::timestamptz, now()))
        on conflict (once) do nothing`;
    },

    async list(page: { after?: number; limit: number; subject?: string | undefined }): Promise<StoredEvent[]> {
      const rows = await sql<(Omit<StoredEvent, 'id'> & { id: string })[]>`
        select id, at, type, phase, subject, actor, deploy_id, wave_id, backup_id, restore_id, data from events
        where id > ${page.after ?? 0} ${page.subject === undefined ? sql`` : sql`and subject = ${page.subject}`}
        order by id limit ${page.limit}`;
      return rows.map((row) => ({ ...row, id: Number(row.id) }));
    },
  };
}
