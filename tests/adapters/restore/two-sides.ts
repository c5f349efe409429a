import { randomBytes } from 'node:crypto';
import { sideOf } from '../../../adapters/restore/database-sides.ts';
import type { DatabaseSwap } from '../../../adapters/restore/swap-database.ts';
import { connect, databaseUrl, type Sql } from '../../../adapters/postgres/connect.ts';
import { servers } from '../../support/servers.ts';

export interface TwoSides {
  readonly admin: Sql;
  readonly names: { readonly live: string; readonly incoming: string; readonly outgoing: string };
  /** There, and back. */
  readonly there: DatabaseSwap;
  readonly back: DatabaseSwap;
  readonly url: (database: string) => string;
  /** What the database of this name holds: `old` or `new`; null when there is none, or nobody is let in. */
  readonly content: (database: string) => Promise<string | null>;
  close(): Promise<void>;
}

/** A live database with a row that says `old`, and one beside it that says `new`. */
export async function twoSides(): Promise<TwoSides> {
  const server = servers().databaseUrl;
  const live = `t_swap_${randomBytes(5).toString('hex')}`;
  const names = { live, incoming: `${live}_new`, outgoing: `${live}_old` };
  const admin = connect(server, { name: 'holdfast-test-swap', max: 3 });
  const url = (database: string) => databaseUrl(server, database);
  for (const [name, text] of [
    [names.live, 'old'],
    [names.incoming, 'new'],
  ] as const) {
    await admin`create database ${admin(name)} template template0`;
    const sql = connect(url(name), { name: 'holdfast-test-swap', max: 1 });
    await sql`create table side (content text not null)`;
    await sql`insert into side values (${text})`;
    await sql.end();
  }
  const oid = async (name: string) => (await sideOf(admin, name))?.oid ?? 0;
  const [oldOid, newOid] = [await oid(names.live), await oid(names.incoming)];
  return {
    ...{ admin, names, url },
    there: { ...names, incoming_oid: newOid },
    back: { live, incoming: names.outgoing, outgoing: names.incoming, incoming_oid: oldOid },
    async content(database) {
      const sql = connect(url(database), { name: 'holdfast-test-swap', max: 1 });
      try {
        const [row] = await sql<{ content: string }[]>`select content from side`;
        return row?.content ?? null;
      } catch (error) {
        if (['3D000', '55000'].includes((error as { code?: string }).code ?? '')) return null;
        throw error;
      } finally {
        await sql.end();
      }
    },
    async close() {
      for (const name of Object.values(names)) await admin`drop database if exists ${admin(name)} with (force)`;
      await admin.end();
    },
  };
}
