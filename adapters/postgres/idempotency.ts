import type postgres from 'postgres';
import type { Sql } from './connect.ts';

export interface KeyedRequest {
  readonly token_id: string;
  readonly key: string;
  readonly request_sha256: Buffer;
}

export interface RecordedAnswer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** The key was used before, for a request that was not this one. */
export class KeyReused extends Error {
  override readonly name = 'KeyReused';
}

export type IdempotencyStore = ReturnType<typeof createIdempotencyStore>;

/**
 * Answers by idempotency key, kept for ever. `sql` should be a pool of its own: the one that asks second holds a
 * connection while it waits for the first.
 */
export function createIdempotencyStore(sql: Sql) {
  const inTurn = createTurns();
  return {
    /**
     * The answer recorded under this key, else that of `effect`, which is then recorded. An effect that throws records
     * nothing. `effect` gets the transaction, so that what it writes there and the record are kept or lost together.
     */
    answer: (
      request: KeyedRequest,
      effect: (tx: postgres.TransactionSql) => Promise<RecordedAnswer>,
    ): Promise<RecordedAnswer> =>
      inTurn(`${request.token_id} ${request.key}`, () =>
        sql.begin(async (tx): Promise<RecordedAnswer> => {
          await lockKey(tx, request);
          const recorded = await find(tx, request);
          if (recorded !== null) return recorded;
          const answer = await effect(tx);
          await tx`
            insert into idempotency_keys (token_id, key, request_sha256, status, body)
            values (${request.token_id}, ${request.key}, ${request.request_sha256}, ${answer.status},
              ${tx.json(answer.body as postgres.JSONValue)})`;
          return answer;
        }),
      ),
  };
}

async function lockKey(tx: postgres.TransactionSql, { token_id, key }: KeyedRequest): Promise<void> {
  await tx`set local lock_timeout = '10s'`;
  await tx`select pg_advisory_xact_lock(hashtextextended(${`${token_id} ${key}`}, 0))`;
}

async function find(tx: postgres.TransactionSql, request: KeyedRequest): Promise<RecordedAnswer | null> {
  const [row] = await tx<(RecordedAnswer & { request_sha256: Buffer })[]>`
    select request_sha256, status, body from idempotency_keys
    where token_id = ${request.token_id} and key = ${request.key}`;
  if (row === undefined) return null;
  if (!row.request_sha256.equals(request.request_sha256)) throw new KeyReused('another request had this key');
  return { status: row.status, body: row.body };
}

/** Within this process the same key waits without a connection, so that one key cannot use up the pool. */
function createTurns() {
  const last = new Map<string, Promise<unknown>>();
  return async <T>(key: string, work: () => Promise<T>): Promise<T> => {
    const mine = (last.get(key) ?? Promise.resolve()).then(work, work);
    last.set(key, mine);
    try {
      return await mine;
    } finally {
      if (last.get(key) === mine) last.delete(key);
    }
  };
}
