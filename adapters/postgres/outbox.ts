import type postgres from 'postgres';
import type { EventStore, NewEvent } from './events.ts';
import type { Sql } from './connect.ts';

type Noted = Pick<NewEvent, 'type' | 'subject' | 'actor' | 'data'>;

const most = 200;

/** Notes an event in the transaction that makes it true: both are kept, or neither. */
export async function note(tx: postgres.ISql, { type, subject, actor, data = {} }: Noted): Promise<void> {
  await tx`
    insert into outbox (type, subject, actor, data) values (${type}, ${subject}, ${actor}, ${tx.json(data as never)})`;
}

export type Outbox = ReturnType<typeof createOutbox>;

/**
 * Events of the data database on their way into the audit, which is in the other one. An event that is carried twice, by
 * two processes or after a crash, is there once.
 */
export function createOutbox(data: Sql, events: Pick<EventStore, 'append'>) {
  return {
    /** Carries what there is, oldest first. */
    async carry(): Promise<void> {
      const noted = await data<(Required<Noted> & { id: string; at: Date })[]>`
        select id, type, subject, actor, data, at from outbox order by seq limit ${most}`;
      for (const { id, ...event } of noted) {
        await events.append({ ...event, once: `outbox/${id}` });
        await data`delete from outbox where id = ${id}`;
      }
      if (noted.length === most) await this.carry();
    },
  };
}
