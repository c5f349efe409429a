import { createHash } from 'node:crypto';
import type { TransactionSql } from 'postgres';
import { quoted } from '../postgres/quoted.ts';

export interface TableHash {
  readonly rows: number;
  readonly sha256: string;
}

/** schema.table and its columns in their order; `text`: as text is what is hashed of it. */
interface Table {
  readonly name: string;
  readonly schema: string;
  readonly table: string;
  readonly bytes: number;
  readonly columns: readonly { readonly name: string; readonly type: string; readonly text: boolean }[];
}

/**
 * What text and binary forms depend on. Without search_path a reg type would be printed by what happens to be in it; without
 * client_encoding text would be converted.
 */
const fixed = {
  client_encoding: 'UTF8',
  datestyle: 'ISO, YMD',
  intervalstyle: 'postgres',
  timezone: 'UTC',
  extra_float_digits: '3',
  bytea_output: 'hex',
  lc_monetary: 'C',
  xmlbinary: 'base64',
  search_path: 'pg_catalog',
  // As pg_dump has it: a row policy makes it an error, not a part of the table.
  row_security: 'off',
} as const;

export async function fixSettings(tx: TransactionSql): Promise<void> {
  for (const [name, value] of Object.entries(fixed)) await tx`select set_config(${name}, ${value}, true)`;
}

/** Names of all tables whose rows a recovery point holds, the largest first. What is unlogged a crash may empty: it is none of them. */
export async function hashedTables(tx: TransactionSql): Promise<readonly Table[]> {
  return tx<Table[]>`
    select n.nspname || '.' || c.relname as name, n.nspname as schema, c.relname as table,
      pg_table_size(c.oid)::float8 as bytes,
      coalesce((select json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
          'text', a.atttypid >= 16384 or t.typname ~ '^_?reg|^_?oid' or t.typsend = 0) order by a.attnum)
        from pg_attribute a join pg_type t on t.oid = a.atttypid
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''), '[]') as columns
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'r' and c.relpersistence = 'p' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
      and not exists (select 1 from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
    order by pg_table_size(c.oid) desc, 1`;
}

/**
 * Of all rows whatever their order, and of the columns' names and types. A row counts by its binary form, which is exact, the same
 * under every setting, and five times as fast as its text; text only where the binary form holds numbers that a restore gives anew.
 */
export async function hashTable(tx: TransactionSql, table: Table): Promise<TableHash> {
  const row = table.columns.map(({ name, text }) => `t.${quoted(name)}${text ? '::text' : ''}`).join(', ');
  // In 256 parts, because one string of all hashes must stay below 1 GB.
  const [found] = await tx.unsafe<{ rows: string; sha256: string }[]>(`
    select coalesce(sum(part.rows), 0)::text as rows,
      encode(sha256(coalesce(string_agg(part.hash, ''::bytea order by part.first), ''::bytea)), 'hex') as sha256
    from (select get_byte(h.hash, 0) as first, count(*) as rows, sha256(string_agg(h.hash, ''::bytea order by h.hash)) as hash
      from (select sha256(record_send(row(${row}))) as hash from only ${quoted(table.schema)}.${quoted(table.table)} t) h
      group by 1) part`);
  if (found === undefined) throw new Error(`No hash of ${table.name}`);
  const columns = table.columns.map(({ name, type }) => [name, type]);
  const sha256 = createHash('sha256')
    .update(JSON.stringify([columns, found.rows, found.sha256]))
    .digest('hex');
  return { rows: Number(found.rows), sha256 };
}

/** By schema.sequence. They stand outside of snapshots: read before a dump, what is restored is not below. */
export async function sequenceValues(tx: TransactionSql): Promise<Record<string, string>> {
  const rows = await tx<{ name: string; value: string }[]>`
    select schemaname || '.' || sequencename as name, coalesce(last_value, start_value - increment_by)::text as value
    from pg_sequences order by 1`;
  return Object.fromEntries(rows.map(({ name, value }) => [name, value]));
}
