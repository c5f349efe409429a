import type { Skipped, ListedItem } from '../../domain/source/item.ts';
import type { Sql } from './connect.ts';

/** What is known of a path from a listing, whole or not. */
export interface KnownItem {
  readonly sha256: string;
  readonly bytes: number;
  readonly version: string | null;
  readonly modifiedAt: Date | null;
  readonly mediaType: string | null;
}

/** One attempt to list one source. */
export interface ListingAttempt {
  readonly project: string;
  readonly source: string;
  readonly attempt: string;
}

export interface ListingFacts {
  readonly revision: string | null;
  readonly items: number;
  readonly bytes: number;
  readonly skipped: Skipped;
}

/** Where an item of a source comes from, for the document that is made of it. */
export interface ItemOrigin {
  readonly uri: string | null;
  readonly media_type: string | null;
  readonly modified_at: Date | null;
}

export type SourcePlaces = ReturnType<typeof createSourcePlaces>;

/**
 * Row W2, the first place: what sources hold, in the data database. A listing is gathered in source_incoming and becomes
 * source_items in one transaction, so one that fails half way can never look like deletions.
 */
export function createSourcePlaces(sql: Sql) {
  return {
    async known(project: string, source: string, paths: readonly string[]): Promise<Map<string, KnownItem>> {
      const rows = await sql<(KnownItem & { path: string })[]>`
        select asked.path, seen.* from unnest(${paths as string[]}::text[]) as asked (path)
        cross join lateral (
          select encode(sha256, 'hex') as sha256, bytes::float8 as bytes, version, modified_at as "modifiedAt",
            media_type as "mediaType"
          from (
            select 1 as rank, sha256, bytes, version, modified_at, media_type from source_incoming
            where (project, source, path) = (${project}, ${source}, asked.path)
            union all
            select 2, sha256, bytes, version, modified_at, media_type from source_items
            where (project, source, path) = (${project}, ${source}, asked.path)
          ) as either order by rank limit 1
        ) as seen`;
      return new Map(rows.map(({ path, ...item }) => [path, item]));
    },

    /** The same path twice in one attempt is a source that lists it twice: the last one counts, and publish refuses it. */
    async receive({ project, source, attempt }: ListingAttempt, items: readonly ListedItem[]): Promise<void> {
      if (items.length === 0) return;
      const rows = items.map((item) => ({
        ...{ path: item.path, sha256: item.sha256, bytes: item.bytes, uri: item.uri, version: item.version },
        ...{ modified_at: item.modifiedAt?.toISOString() ?? null, media_type: item.mediaType },
      }));
      await sql`
        insert into source_incoming (project, source, attempt, path, sha256, bytes, modified_at, uri, version, media_type)
        select ${project}, ${source}, ${attempt}, path, decode(sha256, 'hex'), bytes, modified_at, uri, version, media_type
        from jsonb_to_recordset(${sql.json(rows)}) as item (path text, sha256 text, bytes bigint,
          modified_at timestamptz, uri text, version text, media_type text)
        on conflict (project, source, path) do update set attempt = excluded.attempt, sha256 = excluded.sha256,
          bytes = excluded.bytes, modified_at = excluded.modified_at, uri = excluded.uri, version = excluded.version,
          media_type = excluded.media_type`;
    },

    /** What the source holds is from now on what this attempt saw. Throws, and changes nothing, when rows of it are missing. */
    async publish({ project, source, attempt }: ListingAttempt, facts: ListingFacts): Promise<void> {
      const { revision, items, bytes, skipped } = facts;
      await sql.begin(async (tx) => {
        await tx`select pg_advisory_xact_lock(hashtextextended(${`listing ${project}/${source}`}, 0))`;
        const [counted] = await tx<{ items: number }[]>`
          select count(*)::float8 as items from source_incoming
          where project = ${project} and source = ${source} and attempt = ${attempt}`;
        if (counted?.items !== items) {
          throw new Error(
            `The listing of ${project}/${source} is not whole: ${counted?.items ?? 0} of ${items} files are recorded`,
          );
        }
        await tx`
          delete from source_items as old where project = ${project} and source = ${source} and not exists (
            select from source_incoming as seen where seen.project = old.project and seen.source = old.source
              and seen.path = old.path and seen.attempt = ${attempt})`;
        // Rows that say the same stay as they are: an unchanged source writes nothing here.
        await tx`
          insert into source_items as old (project, source, path, sha256, bytes, modified_at, uri, version, media_type)
          select project, source, path, sha256, bytes, modified_at, uri, version, media_type from source_incoming
          where project = ${project} and source = ${source} and attempt = ${attempt}
          on conflict (project, source, path) do update set sha256 = excluded.sha256, bytes = excluded.bytes,
            modified_at = excluded.modified_at, uri = excluded.uri, version = excluded.version, media_type = excluded.media_type
          where (old.sha256, old.bytes, old.modified_at, old.uri, old.version, old.media_type) is distinct from
            (excluded.sha256, excluded.bytes, excluded.modified_at, excluded.uri, excluded.version, excluded.media_type)`;
        await tx`delete from source_incoming where project = ${project} and source = ${source}`;
        await tx`
          insert into source_listings (project, source, revision, items, bytes, skipped)
          values (${project}, ${source}, ${revision}, ${items}, ${bytes}, ${tx.json(skipped)})
          on conflict (project, source) do update set revision = excluded.revision, items = excluded.items,
            bytes = excluded.bytes, skipped = excluded.skipped, listed_at = now()`;
        // What is gone needs no quarantine.
        await tx`
          delete from quarantine as bad where project = ${project} and source = ${source} and not exists (
            select from source_items as item where item.project = bad.project and item.source = bad.source and item.path = bad.path)`;
      });
    },

    async item(project: string, source: string, path: string): Promise<ItemOrigin | null> {
      const [row] = await sql<ItemOrigin[]>`
        select uri, media_type, modified_at from source_items
        where project = ${project} and source = ${source} and path = ${path}`;
      return row ?? null;
    },
  };
}
