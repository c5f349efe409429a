import type { Provenance } from '../../domain/memory/schemas.ts';
import type { MemoryState, MemoryType } from '../../domain/memory/words.ts';
import type { SparseVector } from '../../domain/lexical/weights.ts';
import type postgres from 'postgres';
import type { Sql } from './connect.ts';
import { note } from './outbox.ts';

export interface NewMemory {
  readonly id: string;
  readonly type: MemoryType;
  readonly project: string | null;
  readonly text: string;
  readonly provenance: Provenance;
  readonly confidence: number;
  readonly supersedes: string | null;
  readonly expires_at: Date | null;
}

export interface StoredMemory extends NewMemory {
  readonly superseded_by: string | null;
  readonly actor: string;
  readonly created_at: Date;
}

/** `unknown`: there is no such memory in this project. `taken`: another one has its place already. */
export type Remembered =
  { readonly ok: true; readonly memory: StoredMemory } | { readonly ok: false; readonly reason: 'unknown' | 'taken' };

/** Where a page ends. */
export interface MemoryPosition {
  readonly created_at: Date;
  readonly id: string;
}

export interface MemoryFilter {
  /** null: of no project. */
  readonly project: string | null;
  readonly type?: MemoryType | undefined;
  /** Default: all. */
  readonly state?: MemoryState | undefined;
}

export type MemoryStore = ReturnType<typeof createMemoryStore>;

/** Row C6: memories as rows of the data database. A memory that is written stays as it is. */
export function createMemoryStore(data: Sql) {
  return {
    /** A second time with the same id: what is there. */
    create: (memory: NewMemory, terms: SparseVector, actor: string): Promise<Remembered> =>
      data.begin((tx) => create(tx, memory, terms, actor)),

    find: (id: string): Promise<StoredMemory | null> => find(data, id),

    /** Newest first. */
    list: (
      { project, type, state }: MemoryFilter,
      page: { readonly after?: MemoryPosition | undefined; readonly limit: number },
    ): Promise<StoredMemory[]> => data<StoredMemory[]>`
      select ${columns(data)} from memories
      where project is not distinct from ${project}
        ${type === undefined ? data`` : data`and type = ${type}`}
        ${state === undefined ? data`` : data`and ${inState(data, state)}`}
        ${page.after === undefined ? data`` : data`and (created_at, id) < (${page.after.created_at}, ${page.after.id})`}
      order by created_at desc, id desc limit ${page.limit}`,

    /** Those that are there, in no order. */
    among: (ids: readonly string[]): Promise<StoredMemory[]> => data<StoredMemory[]>`
      select ${columns(data)} from memories where id = any(${[...ids]}::uuid[])`,

    /** False: it was not there. */
    forget: (id: string, actor: string): Promise<boolean> =>
      data.begin(async (tx) => {
        const [gone] = await tx<Pick<StoredMemory, 'type' | 'project'>[]>`
          delete from memories where id = ${id} returning type, project`;
        if (gone === undefined) return false;
        await note(tx, { type: 'memory.forgotten', subject: subjectOf(gone.project), actor, data: { id, ...gone } });
        return true;
      }),
  };
}

/** What a search may find. */
export function isCurrent(sql: postgres.ISql) {
  return sql`superseded_by is null and coalesce(expires_at > now(), true)`;
}

async function create(
  tx: postgres.TransactionSql,
  memory: NewMemory,
  { indices, values }: SparseVector,
  actor: string,
): Promise<Remembered> {
  const there = await find(tx, memory.id);
  if (there !== null) return { ok: true, memory: there };
  const { id, type, project, text, provenance, confidence, supersedes, expires_at } = memory;
  if (supersedes !== null) {
    const [before] = await tx<Pick<StoredMemory, 'project' | 'superseded_by'>[]>`
      select project, superseded_by from memories where id = ${supersedes} for update`;
    if (before?.project !== project) return { ok: false, reason: 'unknown' };
    if (![null, id].includes(before.superseded_by)) return { ok: false, reason: 'taken' };
    await tx`update memories set superseded_by = ${id} where id = ${supersedes}`;
  }
  const [stored] = await tx<StoredMemory[]>`
    insert into memories (id, type, project, text, provenance, confidence, supersedes, expires_at, terms, weights, actor)
    values (${id}, ${type}, ${project}, ${text}, ${tx.json(provenance)}, ${confidence}, ${supersedes}, ${expires_at},
      ${indices.map(String)}::bigint[], ${[...values]}::real[], ${actor})
    on conflict (id) do nothing returning ${columns(tx)}`;
  // Another one of this id came in between: it is the same.
  if (stored === undefined) return create(tx, memory, { indices, values }, actor);
  const told = { id, type, supersedes };
  await note(tx, { type: 'memory.created', subject: subjectOf(project), actor, data: told });
  return { ok: true, memory: stored };
}

async function find(sql: postgres.ISql, id: string): Promise<StoredMemory | null> {
  const [row] = await sql<StoredMemory[]>`select ${columns(sql)} from memories where id = ${id}`;
  return row ?? null;
}

function columns(sql: postgres.ISql) {
  return sql`id, type, project, text, provenance, confidence, supersedes, superseded_by, actor, created_at, expires_at`;
}

function inState(sql: postgres.ISql, state: MemoryState) {
  if (state === 'superseded') return sql`superseded_by is not null`;
  return state === 'current' ? isCurrent(sql) : sql`superseded_by is null and expires_at <= now()`;
}

function subjectOf(project: string | null): string {
  return project === null ? 'memories' : `project/${project}`;
}
