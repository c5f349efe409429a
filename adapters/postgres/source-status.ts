import type { SourceStatus } from '../../domain/source/status.ts';
import type { Skipped } from '../../domain/source/item.ts';
import type { Sql } from './connect.ts';

interface TruthRow {
  readonly source: string;
  readonly revision: string | null;
  readonly items: number;
  readonly bytes: number;
  readonly listed_at: Date;
  readonly age_s: number;
  readonly skipped: Skipped;
}

interface StagedRow {
  readonly source: string;
  readonly items: number;
  readonly bytes: number;
  readonly boxes: string[];
  readonly newest_at: Date;
  readonly age_s: number;
}

interface StoreRow {
  readonly source: string;
  readonly documents: number;
  readonly bytes: number;
}

interface Committed {
  readonly visible: number;
  readonly ended_at: Date | null;
  readonly age_s: number | null;
}

interface DriftRow {
  readonly source: string;
  readonly missing: number;
  readonly differing: number;
  readonly extra: number;
}

/**
 * Row W2: the three places of each source of a project, and how far the one is behind the other, all seen at one moment.
 * Sources that the project no longer has are there as long as anything of theirs is.
 */
export async function readSourceStatus(
  sql: Sql,
  project: string,
  registered: readonly { readonly name: string; readonly kind: string }[],
): Promise<SourceStatus[]> {
  return sql.begin('isolation level repeatable read read only', async (begun) => {
    const tx = begun as unknown as Sql;
    const committed = await readCommitted(tx, project);
    const g = committed.visible;
    const [truth, staged, store] = [
      await readTruth(tx, project),
      await readStaged(tx, project),
      await readStore(tx, project, g),
    ];
    const staging = bySource(await driftToStaged(tx, project));
    const storing = bySource(await driftToStore(tx, project, g));
    const quarantined = await readQuarantined(tx, project);
    const kinds = new Map(registered.map(({ name, kind }) => [name, kind]));
    const names = new Set([...kinds.keys(), ...truth.keys(), ...staged.keys(), ...store.keys()]);
    return [...names].sort().map((source) => ({
      source,
      kind: kinds.get(source) ?? null,
      truth: truthOf(truth.get(source)),
      staged: stagedOf(staged.get(source)),
      store: storeOf(store.get(source), committed),
      drift: { staged: driftOf(staging.get(source)), store: driftOf(storing.get(source)) },
      quarantined: quarantined.get(source)?.items ?? 0,
    }));
  });
}

async function readCommitted(tx: Sql, project: string): Promise<Committed> {
  const [row] = await tx<Committed[]>`
    select visible::float8 as visible, ended_at, extract(epoch from now() - ended_at)::float8 as age_s
    from projects left join generations on project = id and number = visible where id = ${project}`;
  return row ?? { visible: 0, ended_at: null, age_s: null };
}

async function readTruth(tx: Sql, project: string): Promise<Map<string, TruthRow>> {
  const rows = await tx<TruthRow[]>`
    select source, revision, items::float8 as items, bytes::float8 as bytes, skipped, listed_at,
      extract(epoch from now() - listed_at)::float8 as age_s
    from source_listings where project = ${project}`;
  return bySource(rows);
}

async function readStaged(tx: Sql, project: string): Promise<Map<string, StagedRow>> {
  const rows = await tx<StagedRow[]>`
    select source, count(*)::float8 as items, sum(bytes)::float8 as bytes, array_agg(distinct box) as boxes,
      max(staged_at) as newest_at, extract(epoch from now() - max(staged_at))::float8 as age_s
    from staged_items where project = ${project} group by source`;
  return bySource(rows);
}

async function readStore(tx: Sql, project: string, g: number): Promise<Map<string, StoreRow>> {
  const rows = await tx<StoreRow[]>`
    select source, count(*)::float8 as documents, sum(bytes)::float8 as bytes
    from documents where project = ${project} and born <= ${g} and died > ${g} group by source`;
  return bySource(rows);
}

async function readQuarantined(tx: Sql, project: string) {
  const rows = await tx<{ source: string; items: number }[]>`
    select bad.source, count(*)::float8 as items from quarantine as bad join source_items as item using (project, source, path)
    where project = ${project} and bad.sha256 = item.sha256 group by bad.source`;
  return bySource(rows);
}

function driftToStaged(tx: Sql, project: string): Promise<DriftRow[]> {
  return drift(
    tx,
    tx`select source, path, sha256 from source_items where project = ${project}`,
    tx`select source, path, sha256 from staged_items where project = ${project}`,
  );
}

function driftToStore(tx: Sql, project: string, g: number): Promise<DriftRow[]> {
  return drift(
    tx,
    tx`select source, path, sha256 from source_items where project = ${project}`,
    tx`select source, path, content_sha256 as sha256 from documents
      where project = ${project} and born <= ${g} and died > ${g}`,
  );
}

type Fragment = ReturnType<Sql>;

function drift(tx: Sql, from: Fragment, to: Fragment): Promise<DriftRow[]> {
  return tx<DriftRow[]>`
    select source, count(*) filter (where there.path is null)::float8 as missing,
      count(*) filter (where here.sha256 <> there.sha256)::float8 as differing,
      count(*) filter (where here.path is null)::float8 as extra
    from (${from}) as here full join (${to}) as there using (source, path) group by source`;
}

function driftOf(row: DriftRow | undefined): SourceStatus['drift']['store'] {
  return { missing: row?.missing ?? 0, differing: row?.differing ?? 0, extra: row?.extra ?? 0 };
}

function bySource<T extends { readonly source: string }>(rows: readonly T[]): Map<string, T> {
  return new Map(rows.map((row) => [row.source, row]));
}

function truthOf(row: TruthRow | undefined): SourceStatus['truth'] {
  if (row === undefined) return null;
  const { revision, items, bytes, listed_at, age_s, skipped } = row;
  return { revision, items, bytes, listed_at: listed_at.toISOString(), age_s, skipped };
}

function stagedOf(row: StagedRow | undefined): SourceStatus['staged'] {
  if (row === undefined) return null;
  const { items, bytes, boxes, newest_at, age_s } = row;
  return { items, bytes, boxes, newest_at: newest_at.toISOString(), age_s };
}

function storeOf(row: StoreRow | undefined, { visible, ended_at, age_s }: Committed): SourceStatus['store'] {
  if (row === undefined) return null;
  const { documents, bytes } = row;
  return { documents, bytes, generation: visible, committed_at: ended_at?.toISOString() ?? null, age_s };
}
