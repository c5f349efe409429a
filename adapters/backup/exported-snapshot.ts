import type { TransactionSql } from 'postgres';
import { connect } from '../postgres/connect.ts';

/** One moment of a database, for as long as the work lasts that it was taken for. */
export interface Snapshot {
  readonly url: string;
  /** For `pg_dump --snapshot` and for `insideSnapshot`. */
  readonly id: string;
  /** Not after it. */
  readonly takenAt: Date;
  readonly tx: TransactionSql;
}

const mode = 'isolation level repeatable read read only';

/** Takes one, and keeps it until the work is through. It stops nobody. */
export async function withSnapshot<T>(url: string, work: (snapshot: Snapshot) => Promise<T>): Promise<T> {
  return inTransaction(url, async (tx) => {
    const [row] = await tx<{ id: string; taken_at: Date }[]>`select pg_export_snapshot() as id, now() as taken_at`;
    if (row === undefined) throw new Error('Postgres has exported no snapshot');
    return work({ url, id: row.id, takenAt: row.taken_at, tx });
  });
}

/** A connection of its own that sees what the snapshot sees. */
export async function insideSnapshot<T>(
  { url, id }: Pick<Snapshot, 'url' | 'id'>,
  work: (tx: TransactionSql) => Promise<T>,
): Promise<T> {
  return inTransaction(url, async (tx) => {
    // It takes no parameter; Postgres made the id, of digits and hyphens.
    if (!/^[0-9A-F-]+$/.test(id)) throw new Error('Not the id of a snapshot');
    await tx.unsafe(`set transaction snapshot '${id}'`);
    return work(tx);
  });
}

/** On a connection of its own, as of one moment, for as long as the work lasts. */
async function inTransaction<T>(url: string, work: (tx: TransactionSql) => Promise<T>): Promise<T> {
  const sql = connect(url, { name: 'holdfast-backup', max: 1 });
  try {
    return (await sql.begin(mode, async (tx) => {
      await tx`set local idle_in_transaction_session_timeout = 0`;
      await tx`set local statement_timeout = 0`;
      await tx`set local lock_timeout = 0`;
      return work(tx);
    })) as T;
  } finally {
    await sql.end({ timeout: 5 });
  }
}
