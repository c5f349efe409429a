import type { TransactionSql } from 'postgres';
import {
  unfinishedStates,
  unsweptStates,
  type GenerationRef,
  type GenerationState,
} from '../../domain/generation/generation.ts';
import {
  refusalToBegin,
  refusalToCommit,
  refusalToRollBack,
  type BeginRefusal,
  type CommitRefusal,
  type ProjectStanding,
  type RollBackRefusal,
} from '../../domain/generation/rules.ts';
import type { Sql } from './connect.ts';
import { databaseIncarnation, requireIncarnation } from './database-incarnation.ts';
import { note } from './outbox.ts';
import { lockProject } from './project-lock.ts';

export interface StoredGeneration {
  readonly project: string;
  readonly number: number;
  readonly parent: number;
  readonly state: GenerationState;
  readonly wave_id: string;
  readonly collection: string;
  readonly identity: string;
  readonly incarnation: string;
  /** What is alive at it; null until it is proved. */
  readonly documents: number | null;
  readonly chunks: number | null;
  readonly begun_at: Date;
  readonly proved_at: Date | null;
  readonly ended_at: Date | null;
}

export interface NewGeneration {
  readonly project: string;
  readonly wave_id: string;
  /** What was visible when the wave was planned. */
  readonly parent: number;
  readonly incarnation: string;
  readonly collection: string;
  readonly identity: string;
}

/** `closed`: this wave's number was discarded, or rolled back under it. */
export type BeginAnswer =
  | { readonly ok: true; readonly generation: StoredGeneration }
  | {
      readonly ok: false;
      readonly reason: BeginRefusal | 'project_unknown' | 'closed';
      readonly numbers: readonly number[];
    };

export type RollBackAnswer =
  | { readonly ok: true; readonly number: number; readonly parent: number; readonly doomed: readonly number[] }
  | { readonly ok: false; readonly reason: RollBackRefusal | 'project_unknown' };

export type CommitAnswer =
  { readonly ok: true } | { readonly ok: false; readonly reason: CommitRefusal | 'project_unknown' };

export type GenerationStore = ReturnType<typeof createGenerationStore>;

/** Numbers of projects and what became of them (G1, G4, G5). Each change may be repeated by a retried activity. */
export function createGenerationStore(sql: Sql) {
  return {
    /** G1. The same wave again is the same number. What a run that is gone left unfinished is discarded. */
    begin: (wanted: NewGeneration): Promise<BeginAnswer> => sql.begin((tx) => begin(tx, wanted)),

    /** G4. `ok` too when it was committed before. */
    commit: (ref: GenerationRef): Promise<CommitAnswer> => sql.begin((tx) => commit(tx, ref)),

    /** Returns the number, which is to be swept; null when the wave has none, or one that was committed and stays. */
    discard: (project: string, waveId: string): Promise<number | null> =>
      sql.begin(async (tx) => {
        await lockProject(tx, project);
        await discardUnfinished(tx, tx`project = ${project} and wave_id = ${waveId}`);
        const [own] = await read(tx, tx`project = ${project} and wave_id = ${waveId}`);
        return own === undefined || own.state === 'committed' ? null : own.number;
      }),

    /**
     * G5. `number`: what the caller means to undo, so that asking twice undoes once; null: whatever is visible. Noted for the
     * audit with the change.
     */
    rollBack: (
      project: string,
      number: number | null = null,
      said: { readonly actor: string; readonly reason?: string | null } = nobody,
    ): Promise<RollBackAnswer> => sql.begin((tx) => rollBack(tx, project, number, said)),

    /** G5. False when nothing was held. Noted as a rollback is. */
    release: (project: string, { actor }: { readonly actor: string } = nobody): Promise<boolean> =>
      sql.begin(async (tx) => {
        const { count } = await tx`
          update projects set held = false, updated_at = now() where id = ${project} and held`;
        if (count > 0) await note(tx, { type: 'project.released', subject: `project/${project}`, actor });
        return count > 0;
      }),

    /** null: there is no such project. */
    async standing(project: string): Promise<(ProjectStanding & { readonly last_number: number }) | null> {
      const [row] = await sql<(Record<'visible' | 'gc_floor' | 'last_number', string> & { held: boolean })[]>`
        select visible, gc_floor, last_number, held from projects where id = ${project}`;
      if (row === undefined) return null;
      const { visible, gc_floor, last_number, held } = row;
      return { visible: Number(visible), gc_floor: Number(gc_floor), last_number: Number(last_number), held };
    },

    async find(project: string, number: number): Promise<StoredGeneration | null> {
      return (await read(sql, sql`project = ${project} and number = ${number}`))[0] ?? null;
    },

    async ofWave(waveId: string): Promise<StoredGeneration | null> {
      return (await read(sql, sql`wave_id = ${waveId}`))[0] ?? null;
    },

    /** Newest first. `before`: the last number of the page before. */
    list: (project: string, { before, limit }: { before?: number; limit: number }): Promise<StoredGeneration[]> =>
      read(
        sql,
        sql`project = ${project} ${before === undefined ? sql`` : sql`and number < ${before}`}
          order by number desc limit ${limit}`,
      ),

    async projects(): Promise<string[]> {
      const rows = await sql<{ project: string }[]>`select distinct project from generations order by project`;
      return rows.map(({ project }) => project);
    },
  };
}

const unfinished = [...unfinishedStates];
const nobody = { actor: 'system' };

async function begin(tx: TransactionSql, wanted: NewGeneration): Promise<BeginAnswer> {
  const { project, wave_id, parent, incarnation, collection, identity } = wanted;
  const now = await lockProject(tx, project);
  if (now === null) return { ok: false, reason: 'project_unknown', numbers: [] };
  const [own] = await read(tx, tx`project = ${project} and wave_id = ${wave_id}`);
  const here = await databaseIncarnation(tx);
  if (own !== undefined) {
    const open = own.state === 'writing' && own.incarnation === here;
    return open ? { ok: true, generation: own } : { ok: false, reason: 'closed', numbers: [own.number] };
  }
  const refusalWith = (unswept: readonly number[]) =>
    refusalToBegin({ incarnation, visible: parent }, { ...now, incarnation: here, unswept });
  const refusal = refusalWith([]);
  // Before anything is done: one that may not begin ends nobody else's either.
  if (refusal !== null) return { ok: false, reason: refusal, numbers: [] };
  await doom(tx, project);
  const left = await read(tx, tx`project = ${project} and state = any(${[...unsweptStates]}) order by number`);
  const unswept = left.map(({ number }) => number);
  const notYet = refusalWith(unswept);
  if (notYet !== null) return { ok: false, reason: notYet, numbers: unswept };
  const number = now.last_number + 1;
  await tx`update projects set last_number = ${number}, updated_at = now() where id = ${project}`;
  await tx`insert into generations ${tx({ project, number, parent, wave_id, collection, identity, incarnation })}`;
  const [generation] = await read(tx, tx`project = ${project} and number = ${number}`);
  if (generation === undefined) throw new Error(`Generation ${number} of ${project} is gone`);
  return { ok: true, generation };
}

async function commit(tx: TransactionSql, { project, number, incarnation }: GenerationRef): Promise<CommitAnswer> {
  const now = await lockProject(tx, project);
  if (now === null) return { ok: false, reason: 'project_unknown' };
  const here = await databaseIncarnation(tx);
  const [generation = null] = await read(tx, tx`project = ${project} and number = ${number}`);
  const refusal = refusalToCommit({ incarnation }, { ...now, incarnation: here, generation });
  if (refusal !== null) return { ok: false, reason: refusal };
  if (generation?.state === 'committed') return { ok: true };
  // The one statement: whatever was read before, it is this that decides.
  const moved = await tx`
    update projects p set visible = g.number, updated_at = now() from generations g, incarnation i
    where p.id = ${project} and g.project = p.id and g.number = ${number} and g.state = 'proved'
      and p.visible = g.parent and g.incarnation = i.id and i.id = ${incarnation} returning 1`;
  if (moved.length === 0) return { ok: false, reason: 'parent_moved' };
  await tx`
    update generations set state = 'committed', ended_at = now() where project = ${project} and number = ${number}`;
  // Seen to be the same until all of this is there.
  await requireIncarnation(tx, incarnation);
  return { ok: true };
}

async function rollBack(
  tx: TransactionSql,
  project: string,
  wanted: number | null,
  { actor, reason = null }: { readonly actor: string; readonly reason?: string | null },
): Promise<RollBackAnswer> {
  const now = await lockProject(tx, project);
  if (now === null) return { ok: false, reason: 'project_unknown' };
  const [visible = null] = await read(tx, tx`project = ${project} and number = ${now.visible}`);
  const refusal = refusalToRollBack(wanted, now, visible);
  if (refusal !== null && wanted !== null) {
    const [done] = await read(tx, tx`project = ${project} and number = ${wanted} and state = 'rolled_back'`);
    if (done?.parent === now.visible) return { ok: true, number: wanted, parent: done.parent, doomed: [] };
  }
  if (refusal !== null || visible === null) return { ok: false, reason: refusal ?? 'nothing_visible' };
  const doomed = await doom(tx, project);
  await tx`update projects set visible = ${visible.parent}, held = true, updated_at = now() where id = ${project}`;
  await tx`
    update generations set state = 'rolled_back', ended_at = clock_timestamp()
    where project = ${project} and number = ${visible.number}`;
  const data = { number: visible.number, visible: visible.parent, doomed, reason };
  await note(tx, { type: 'wave.rolled_back', subject: `project/${project}`, actor, data });
  return { ok: true, number: visible.number, parent: visible.parent, doomed };
}

/** Waits for the batches that are just being written; none is written after it. */
async function doom(tx: TransactionSql, project: string): Promise<number[]> {
  const numbers = await discardUnfinished(tx, tx`project = ${project}`);
  return numbers.sort((a, b) => a - b);
}

/**
 * What is settled is counted from `ended_at`, so it is the time at which the waiting for the lock is over: that of the
 * transaction's beginning would let readers and writers of that long ago be taken for gone (G6).
 */
async function discardUnfinished(tx: TransactionSql, which: ReturnType<TransactionSql>): Promise<number[]> {
  const found = await tx<{ number: string }[]>`
    select number from generations where ${which as never} and state = any(${unfinished}) for no key update`;
  const numbers = found.map(({ number }) => Number(number));
  if (numbers.length > 0)
    await tx`
      update generations set state = 'discarded', ended_at = clock_timestamp()
      where ${which as never} and number = any(${numbers.map(String)}::bigint[])`;
  return numbers;
}

type GenerationRow = Omit<StoredGeneration, 'number' | 'parent' | 'documents' | 'chunks'> &
  Record<'number' | 'parent', string> &
  Record<'documents' | 'chunks', string | null>;

async function read(sql: Sql | TransactionSql, where: ReturnType<Sql>): Promise<StoredGeneration[]> {
  const rows = await sql<GenerationRow[]>`select * from generations where ${where as never}`;
  return rows.map(({ number, parent, documents, chunks, ...row }) => ({
    ...row,
    number: Number(number),
    parent: Number(parent),
    documents: documents === null ? null : Number(documents),
    chunks: chunks === null ? null : Number(chunks),
  }));
}
