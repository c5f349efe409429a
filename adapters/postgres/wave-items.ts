import type postgres from 'postgres';
import type { TrustedItem } from '../../domain/project/policy.ts';
import { batchDocuments } from '../../domain/wave/run.ts';
import { lostReasons } from '../../domain/wave/words.ts';
import type { Sql } from './connect.ts';

/** One document of a wave that is to be written. */
export interface WaveItem {
  readonly seq: number;
  readonly source: string;
  readonly path: string;
  readonly change: 'added' | 'changed' | 'moved' | 'removed';
  readonly document: string;
  readonly sha256: string | null;
  readonly bytes: number;
  readonly uri: string | null;
  readonly media_type: string | null;
  readonly listed: TrustedItem | null;
}

/** What became of the items of a wave so far. */
export interface WaveTally {
  readonly documents: number;
  readonly chunks: number;
  readonly embedded: number;
  readonly quarantined: number;
  readonly failed: number;
  /** Of those that failed: a person has to say whether to try again, or to do without. */
  readonly undecided: number;
  /** The reason of one of them. */
  readonly why: string | null;
}

export interface WaveProgressCounts extends WaveTally {
  readonly items: number;
  readonly done: number;
}

export type WaveItemStore = ReturnType<typeof createWaveItemStore>;

const settled: string[] = [...lostReasons];

const batchOf = (sql: postgres.ISql) => sql`seq / ${batchDocuments}::int`;

/** What a wave has to do, and how far it got: rows of the data database, so that they change with what they are about. */
export function createWaveItemStore(sql: Sql) {
  return {
    /** Moves and removals that are open, a page at a time. */
    goes: (waveId: string, limit: number): Promise<WaveItem[]> =>
      sql<WaveItem[]>`
        select ${columns(sql)} from wave_items w left join source_items s using (project, source, path)
        where wave_id = ${waveId} and change in ('moved', 'removed') and state in ('planned', 'stored')
        order by seq limit ${limit}`,

    /** Numbers of the batches in which there is something to write. */
    async openBatches(waveId: string, limit: number): Promise<number[]> {
      const rows = await sql<{ batch: number }[]>`
        select distinct ${batchOf(sql)} as batch from wave_items
        where wave_id = ${waveId} and change in ('added', 'changed') and state in ('planned', 'stored')
        order by batch limit ${limit}`;
      return rows.map(({ batch }) => batch);
    },

    batch: (waveId: string, batch: number): Promise<WaveItem[]> =>
      sql<WaveItem[]>`
        select ${columns(sql)} from wave_items w left join source_items s using (project, source, path)
        where wave_id = ${waveId} and seq >= ${batch * batchDocuments} and seq < ${(batch + 1) * batchDocuments}
          and change in ('added', 'changed') and state in ('planned', 'stored')
        order by seq`,

    /** In the transaction that writes their rows; written again by a later attempt. */
    async stored(
      tx: postgres.ISql,
      waveId: string,
      items: readonly { readonly seq: number; readonly chunks: number; readonly embedded: number }[],
    ): Promise<void> {
      const column = (name: 'seq' | 'chunks' | 'embedded'): number[] => items.map((item) => item[name]);
      await tx`
        update wave_items w set state = 'stored', chunks = i.chunks, embedded = coalesce(w.embedded, 0) + i.embedded,
          reason = null
        from unnest(${column('seq')}::int[], ${column('chunks')}::int[], ${column('embedded')}::int[])
          as i (seq, chunks, embedded)
        where w.wave_id = ${waveId} and w.seq = i.seq`;
    },

    async written(waveId: string, seqs: readonly number[]): Promise<void> {
      await sql`
        update wave_items set state = 'written' where wave_id = ${waveId} and seq = any(${[...seqs]}::int[])
          and state in ('planned', 'stored')`;
    },

    /** One document, for a reason that no other one has. */
    async failed(waveId: string, seq: number, reason: string): Promise<void> {
      await sql`update wave_items set state = 'failed', reason = ${reason} where wave_id = ${waveId} and seq = ${seq}`;
    },

    /** Row W4: with its bytes and the parser that could not read them, so that it is tried again when either changes. */
    quarantined: (
      waveId: string,
      project: string,
      item: WaveItem,
      why: { readonly pipeline: string; readonly reason: string; readonly detail: string },
    ): Promise<void> =>
      sql.begin(async (tx) => {
        await tx`
          update wave_items set state = 'quarantined', reason = ${why.reason}
          where wave_id = ${waveId} and seq = ${item.seq}`;
        await tx`
          insert into quarantine (project, source, path, sha256, pipeline, reason, detail)
          values (${project}, ${item.source}, ${item.path}, decode(${item.sha256}, 'hex'), ${why.pipeline}, ${why.reason},
            ${why.detail})
          on conflict (project, source, path) do update set sha256 = excluded.sha256, pipeline = excluded.pipeline,
            reason = excluded.reason, detail = excluded.detail, at = now()`;
      }),

    /** What a batch that was given up has not done. What is stored needs nothing but its points, which the proof puts right. */
    async failBatch(waveId: string, batch: number, reason: string): Promise<void> {
      await sql`
        update wave_items set state = case state when 'stored' then 'written' else 'failed' end,
          reason = case state when 'stored' then reason else ${reason} end
        where wave_id = ${waveId} and seq >= ${batch * batchDocuments} and seq < ${(batch + 1) * batchDocuments}
          and state in ('planned', 'stored')`;
    },

    async reopenFailed(waveId: string): Promise<void> {
      await sql`
        update wave_items set state = 'planned', reason = null
        where wave_id = ${waveId} and state = 'failed' and reason <> all(${settled})`;
    },

    async tally(waveId: string): Promise<WaveProgressCounts> {
      const undecided = sql`state = 'failed' and reason <> all(${settled})`;
      const [row] = await sql<WaveProgressCounts[]>`
        select count(*)::int as items,
          count(*) filter (where state in ('written', 'quarantined', 'failed'))::int as done,
          count(*) filter (where state = 'written' and change in ('added', 'changed'))::int as documents,
          count(*) filter (where state = 'quarantined')::int as quarantined,
          count(*) filter (where state = 'failed')::int as failed,
          count(*) filter (where ${undecided})::int as undecided, min(reason) filter (where ${undecided}) as why,
          coalesce(sum(chunks) filter (where state <> 'planned'), 0)::int as chunks,
          coalesce(sum(embedded), 0)::int as embedded
        from wave_items where wave_id = ${waveId}`;
      if (row === undefined) throw new Error('a count gave no row');
      return row;
    },

    /** Those that are not simply written, in their order. `after`: the last seq of the page before. */
    troubled: (
      waveId: string,
      { after = -1, limit }: { after?: number; limit: number },
    ): Promise<(Pick<WaveItem, 'seq' | 'source' | 'path' | 'change'> & { state: string; reason: string | null })[]> =>
      sql`
        select seq, source, path, change, state, reason from wave_items
        where wave_id = ${waveId} and seq > ${after} and state in ('failed', 'quarantined') order by seq limit ${limit}`,

    /** A few of each kind of change, so that a plan can be judged. */
    examples: (waveId: string): Promise<{ change: WaveItem['change']; source: string; path: string }[]> =>
      sql`
        select change, source, path from (
          select change, source, path, seq, row_number() over (partition by change order by seq) as nth
          from wave_items where wave_id = ${waveId}) as numbered
        where nth <= 5 order by seq`,
  };
}

function columns(sql: Sql) {
  return sql`w.seq, w.source, w.path, w.change, w.document, encode(w.sha256, 'hex') as sha256, w.bytes::float8 as bytes,
    s.uri, s.media_type, w.listed`;
}
