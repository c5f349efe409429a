import { lostReasons, type LostReason } from '../../domain/wave/words.ts';
import type { Sql } from './connect.ts';

/** An item of a wave whose bytes the wave needs. */
export interface WantedItem {
  readonly seq: number;
  readonly path: string;
  /** As it was listed. */
  readonly sha256: string;
  readonly bytes: number;
  readonly uri: string | null;
  readonly version: string | null;
}

/** An item whose bytes are in the content store now. */
export interface StagedItem {
  readonly seq: number;
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
  /** Set when these are not the bytes that were listed. */
  readonly instead: { readonly version: string | null; readonly modifiedAt: Date | null } | null;
}

export interface LostItem {
  readonly seq: number;
  readonly reason: LostReason;
}

interface Staging {
  readonly wave_id: string;
  readonly project: string;
  readonly source: string;
  readonly box: string;
}

export type StagedItems = ReturnType<typeof createStagedItems>;

/** Row W2, the second place: which bytes of which path are in the content store of which box. */
export function createStagedItems(sql: Sql) {
  /** Different bytes under the name of a move are no move; readers of `wave_items` see what was staged. */
  const recordInstead = (
    tx: Sql,
    { wave_id, project, source }: Staging,
    { seq, path, sha256, bytes, instead }: StagedItem,
  ) => tx`
    with item as (
      update wave_items set sha256 = decode(${sha256}, 'hex'), bytes = ${bytes},
        change = case change when 'moved' then 'changed' else change end
      where wave_id = ${wave_id} and seq = ${seq})
    update source_items set sha256 = decode(${sha256}, 'hex'), bytes = ${bytes},
      version = ${instead?.version ?? null}, modified_at = ${instead?.modifiedAt?.toISOString() ?? null}
    where project = ${project} and source = ${source} and path = ${path}`;

  return {
    /** In the order of the wave. */
    wanted: ({ wave_id, source }: Staging, after: number, limit: number): Promise<WantedItem[]> => sql<WantedItem[]>`
      select item.seq, item.path, encode(item.sha256, 'hex') as sha256, item.bytes::float8 as bytes, origin.uri, origin.version
      from wave_items as item left join source_items as origin using (project, source, path)
      where item.wave_id = ${wave_id} and item.source = ${source} and item.seq > ${after}
        and item.change <> 'removed' and item.state in ('planned', 'failed')
      order by item.seq limit ${limit}`,

    async anyWanted(wave_id: string, source: string): Promise<boolean> {
      const rows = await sql`
        select 1 from wave_items where wave_id = ${wave_id} and source = ${source}
          and change <> 'removed' and state in ('planned', 'failed') limit 1`;
      return rows.length > 0;
    },

    /** Bytes of different contents that the wave wants and the box was never given. */
    async missingBytes({ wave_id, source, box }: Staging): Promise<number> {
      const [row] = await sql<{ bytes: number }[]>`
        select coalesce(sum(bytes), 0)::float8 as bytes from (
          select distinct on (sha256) bytes from wave_items as item
          where wave_id = ${wave_id} and source = ${source} and change <> 'removed' and state in ('planned', 'failed')
            and not exists (select from staged_items as held where held.sha256 = item.sha256 and held.box = ${box})
        ) as missing`;
      return row?.bytes ?? 0;
    },

    async bytesOf(project: string, source: string, box: string): Promise<number> {
      const [row] = await sql<{ bytes: number }[]>`
        select coalesce(sum(bytes), 0)::float8 as bytes from staged_items
        where project = ${project} and source = ${source} and box = ${box}`;
      return row?.bytes ?? 0;
    },

    async record(at: Staging, staged: readonly StagedItem[], lost: readonly LostItem[]): Promise<void> {
      const { wave_id, project, source, box } = at;
      const rows = staged.map(({ path, sha256, bytes }) => ({ path, sha256, bytes }));
      await sql.begin(async (begun) => {
        const tx = begun as unknown as Sql;
        await tx`
          insert into staged_items as held (project, source, path, sha256, bytes, box)
          select ${project}, ${source}, path, decode(sha256, 'hex'), bytes, ${box}
          from jsonb_to_recordset(${tx.json(rows)}) as item (path text, sha256 text, bytes bigint)
          on conflict (project, source, path) do update
            set sha256 = excluded.sha256, bytes = excluded.bytes, box = excluded.box, staged_at = now()
          where (held.sha256, held.box) is distinct from (excluded.sha256, excluded.box)`;
        await tx`
          update wave_items set state = 'planned', reason = null where wave_id = ${wave_id} and state = 'failed'
            and reason = any(${[...lostReasons]}) and seq = any(${staged.map(({ seq }) => seq)})`;
        for (const item of staged) if (item.instead !== null) await recordInstead(tx, at, item);
        for (const { seq, reason } of lost) {
          await tx`update wave_items set state = 'failed', reason = ${reason} where wave_id = ${wave_id} and seq = ${seq}`;
        }
      });
    },

    /** What the source no longer holds need not be kept for it: its content is collected when nothing else names it. */
    async forgetGone(project: string, source: string): Promise<void> {
      await sql`
        delete from staged_items as held where project = ${project} and source = ${source} and not exists (
          select from source_items as item
          where item.project = held.project and item.source = held.source and item.path = held.path)`;
    },

    /** Those of some contents that a row names: staged, uploaded, listed, or still to be written by a wave. */
    async named(sha256s: readonly string[]): Promise<ReadonlySet<string>> {
      const rows = await sql<{ sha256: string }[]>`
        select encode(content, 'hex') as sha256
        from (select decode(hex, 'hex') as content from unnest(${sha256s as string[]}::text[]) as given (hex)) as given
        where exists (select from staged_items where sha256 = content)
          or exists (select from uploads where sha256 = content)
          or exists (select from source_items where sha256 = content)
          or exists (select from source_incoming where sha256 = content)
          or exists (select from wave_items where sha256 = content and state in ('planned', 'stored', 'failed'))`;
      return new Set(rows.map(({ sha256 }) => sha256));
    },
  };
}
