import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type postgres from 'postgres';
import type { Role } from '../../domain/role.ts';
import type { Sql } from './connect.ts';

export interface StoredToken {
  readonly id: string;
  readonly actor: string;
  readonly role: Role;
  readonly projects: readonly string[] | null;
  readonly created_at: Date;
  readonly expires_at: Date | null;
  readonly revoked_at: Date | null;
  readonly last_used_at: Date | null;
}

export interface Caller {
  readonly id: string;
  readonly actor: string;
  readonly role: Role;
  /** Row O2. Ids of those that it may see; null: everything. */
  readonly projects: readonly string[] | null;
}

export interface NewToken {
  readonly actor: string;
  readonly role: Role;
  /** Default: everything. */
  readonly projects?: readonly string[] | null;
  readonly expires_at?: Date | null;
}

/** Any handle that can run a statement: the pool or a transaction. */
type Statements = postgres.ISql;

export type TokenStore = ReturnType<typeof createTokenStore>;

/** Bearer tokens `hf_<id>_<secret>`, hashed at rest (row O2). */
export function createTokenStore(sql: Sql) {
  return {
    create: (request: NewToken, within: Statements = sql) => create(within, request),

    /** Who this token stands for; null when it is unknown, wrong, expired or revoked. */
    async authenticate(token: string): Promise<Caller | null> {
      const parts = /^hf_([0-9a-f]{12})_([A-Za-z0-9_-]{43})$/.exec(token);
      if (parts === null) return null;
      const [, id = '', secret = ''] = parts;
      const [row] = await sql<(Caller & { secret_sha256: Buffer; stale: boolean })[]>`
        select id, actor, role, projects, secret_sha256, coalesce(last_used_at < now() - interval '1 minute', true) as stale
        from tokens where id = ${id} and revoked_at is null and coalesce(expires_at > now(), true)`;
      if (row === undefined || !timingSafeEqual(row.secret_sha256, hash(secret))) return null;
      if (row.stale) await sql`update tokens set last_used_at = now() where id = ${id}`;
      return { id: row.id, actor: row.actor, role: row.role, projects: row.projects };
    },

    list: ({ after = '', limit }: { after?: string; limit: number }): Promise<StoredToken[]> => sql<StoredToken[]>`
      select ${shown(sql)} from tokens where id > ${after} order by id limit ${limit}`,

    async any(): Promise<boolean> {
      return (await sql`select 1 from tokens limit 1`).length > 0;
    },

    /** `last_admin`: no other admin token lives as long, so nobody could administer any more. */
    revoke: (id: string): Promise<'revoked' | 'unknown' | 'last_admin'> =>
      sql.begin(async (tx) => {
        await lockTokens(tx);
        const [row] = await tx<{ last_admin: boolean }[]>`
          select role = 'admin' and revoked_at is null and coalesce(expires_at > now(), true) and not exists (
            select 1 from tokens other where other.id <> tokens.id and other.role = 'admin' and other.revoked_at is null
              and coalesce(other.expires_at, 'infinity') >= coalesce(tokens.expires_at, 'infinity')
          ) as last_admin from tokens where id = ${id}`;
        if (row === undefined) return 'unknown';
        if (row.last_admin) return 'last_admin';
        await tx`update tokens set revoked_at = coalesce(revoked_at, now()) where id = ${id}`;
        return 'revoked';
      }),

    /**
     * The first-run admin token; null when there ever was a token, but for those that a restore onto another machine has revoked,
     * all of them: nobody else may revoke the last admin's. Of two callers at once, one gets it. `keep` stores it before it
     * becomes valid: a crash in between leaves no admin whom nobody knows.
     */
    ensureFirstAdmin: (keep: (token: string) => Promise<void> = nowhere): Promise<{ token: string } | null> =>
      sql.begin(async (tx) => {
        await lockTokens(tx);
        const found = await tx`select 1 from tokens where revoked_at is null limit 1`;
        if (found.length > 0) return null;
        const { token } = await create(tx, { actor: 'admin', role: 'admin' });
        await keep(token);
        return { token };
      }),
  };
}

const nowhere = (): Promise<void> => Promise.resolve();

async function create(sql: Statements, request: NewToken): Promise<{ row: StoredToken; token: string }> {
  const id = randomBytes(6).toString('hex');
  const secret = randomBytes(32).toString('base64url');
  const { projects = null } = request;
  const [row] = await sql<StoredToken[]>`
    insert into tokens (id, actor, role, projects, secret_sha256, expires_at)
    values (${id}, ${request.actor}, ${request.role}, ${projects === null ? null : [...projects]}::text[],
      ${hash(secret)}, ${request.expires_at ?? null})
    returning ${shown(sql)}`;
  if (row === undefined) throw new Error('the token was not stored');
  return { row, token: `hf_${id}_${secret}` };
}

/** One plain sha256 is enough: the secret is 32 random bytes, so there is nothing to guess. */
function hash(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

function shown(sql: Statements) {
  return sql`id, actor, role, projects, created_at, expires_at, revoked_at, last_used_at`;
}

/** Two revocations at once must not each leave the other's token as the last. */
async function lockTokens(tx: Statements): Promise<void> {
  await tx`select pg_advisory_xact_lock(hashtext('holdfast.tokens'))`;
}
