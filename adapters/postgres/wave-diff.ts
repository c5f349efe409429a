import type postgres from 'postgres';
import type { TrustedItem } from '../../domain/project/policy.ts';
import { createDiff, type Change, type Differing } from '../../domain/wave/diff.ts';
import type { WaveKind } from '../../domain/wave/words.ts';
import type { Sql } from './connect.ts';

export interface DiffQuestion {
  readonly wave_id: string;
  readonly project: string;
  readonly kind: WaveKind;
  /** Documents alive at it are compared: what readers see. */
  readonly generation: number;
  /** Those that this wave has listed. */
  readonly sources: readonly string[];
  /** All that the project has. Documents of any other source are removed. */
  readonly registered: readonly string[];
  /** In force, by media type. A document that another one made is written again. */
  readonly pipelines: Readonly<Record<string, string>>;
  /** Row W10: what is unchanged is written again as well, and so are trusted documents, as what they are. */
  readonly rewrite: boolean;
  readonly retry_quarantined: boolean;
  /** Of `trusted_operational`: what this wave's list names, and nothing else is in such a wave. */
  readonly listed: readonly TrustedItem[];
  /** What any list of the project names: no glob brings it into the corpus. */
  readonly named: readonly TrustedItem[];
  /** The key of a document that is new. */
  readonly documentKey: (source: string, path: string) => string;
}

export interface DiffCounts {
  readonly added: number;
  readonly changed: number;
  readonly moved: number;
  readonly removed: number;
  readonly unchanged: number;
  /** Known bad, and left out. */
  readonly quarantined: number;
  /** Of what is added or changed. */
  readonly bytes: number;
}

type Tx = postgres.TransactionSql;

interface Row {
  readonly source: string;
  readonly path: string;
  readonly listed_sha256: string | null;
  readonly listed_bytes: number | null;
  readonly alive_sha256: string | null;
  readonly document: string | null;
  /** Quarantined as it is now. */
  readonly held: boolean;
}

export type WaveDiff = ReturnType<typeof createWaveDiff>;

const batchSize = 2_000;

/**
 * Row W6: compares what the sources hold with what readers see, and makes it the work of a wave, all in one transaction that
 * can be repeated. The join by path is Postgres's: it finds the few differing paths among a million equal ones without
 * sending those here. They come through a cursor, in the order that the pure rule (domain/wave/diff.ts) wants, so memory
 * holds a batch of rows and the paths of one content, however large the source is.
 */
export function createWaveDiff(sql: Sql) {
  return {
    /** Throws when a source was not listed: that it holds nothing must never be read from rows that are not there. */
    plan: (asked: DiffQuestion): Promise<DiffCounts> =>
      sql.begin('isolation level repeatable read', async (tx) => {
        const question = await withTrustedDocuments(tx, asked);
        await demandListings(tx, question);
        await tx`delete from wave_items where wave_id = ${question.wave_id}`;
        const counts = { added: 0, changed: 0, moved: 0, removed: 0, quarantined: 0, bytes: 0 };
        const diff = createDiff({ rewrite: question.rewrite });
        let seq = 0;
        const write = async (changes: readonly Change[]): Promise<void> => {
          for (const { change, bytes } of changes) {
            counts[change] += 1;
            if (change === 'added' || change === 'changed') counts.bytes += bytes;
          }
          await insertItems(tx, question, seq, changes);
          seq += changes.length;
        };
        for await (const rows of differing(tx, question)) {
          counts.quarantined += rows.filter(({ held }) => held).length;
          await write(rows.filter(({ held }) => !held).flatMap((row) => diff.take(sidesOf(row))));
        }
        await write(diff.end());
        const touched = counts.added + counts.changed + counts.moved + counts.quarantined;
        return { ...counts, unchanged: (await countTruth(tx, question)) - touched };
      }),
  };
}

async function demandListings(tx: Tx, { project, sources }: DiffQuestion): Promise<void> {
  const rows = await tx<{ source: string }[]>`
    select source from source_listings where project = ${project} and source = any(${sources as string[]})`;
  const listed = new Set(rows.map(({ source }) => source));
  const missing = sources.filter((source) => !listed.has(source));
  if (missing.length > 0) throw new Error(`Not listed yet: ${missing.join(', ')} of ${project}`);
}

/** The paths that this wave is about: those that its list names, or those that no list names. */
function inScope(tx: Tx, { kind, listed, named }: DiffQuestion) {
  if (kind !== 'corpus') return among(tx, listed);
  return listed.length === 0 ? tx`not ${among(tx, named)}` : tx`(not ${among(tx, named)} or ${among(tx, listed)})`;
}

function among(tx: Tx, items: readonly TrustedItem[]) {
  const paths = items.map(({ source, path }) => ({ source, path }));
  return tx`((source, path) in (
    select source, path from jsonb_to_recordset(${tx.json(paths)}) as item (source text, path text)))`;
}

/** Where everything is written again, trusted documents that readers see are among it. */
async function withTrustedDocuments(tx: Tx, question: DiffQuestion): Promise<DiffQuestion> {
  const { project, generation, rewrite, named } = question;
  if (!rewrite || named.length === 0) return question;
  const rows = await tx<{ source: string; path: string }[]>`
    select source, path from documents
    where project = ${project} and kind = 'trusted_operational' and born <= ${generation} and died > ${generation}`;
  const seen = new Set(rows.map(({ source, path }) => `${source}/${path}`));
  return { ...question, listed: named.filter(({ source, path }) => seen.has(`${source}/${path}`)) };
}

function truth(tx: Tx, question: DiffQuestion) {
  const { project, sources } = question;
  return tx`
    select source, path, sha256, bytes from source_items
    where project = ${project} and source = any(${sources as string[]}) and ${inScope(tx, question)}`;
}

async function countTruth(tx: Tx, question: DiffQuestion): Promise<number> {
  const [row] = await tx<{ items: number }[]>`select count(*)::float8 as items from (${truth(tx, question)}) as truth`;
  return row?.items ?? 0;
}

async function* differing(tx: Tx, question: DiffQuestion): AsyncGenerator<readonly Row[]> {
  const { project, kind, generation, sources, registered, pipelines, rewrite, retry_quarantined, listed } = question;
  const items = listed.map((item) => ({ ...item, view: item.kind }));
  await tx`
    declare differing no scroll cursor for
    with truth as (${truth(tx, question)}),
    alive as (
      select source, path, key, content_sha256, pipeline, media_type, kind, as_of, view, supersedes from documents
      where project = ${project} and born <= ${generation} and died > ${generation}
        and (source = any(${sources as string[]}) or source <> all(${registered as string[]})) and ${inScope(tx, question)}
    ),
    pair as (
      select source, path, coalesce(sha256, content_sha256) as content, truth.path is not null as is_listed,
        alive.path is not null as is_alive, sha256, bytes, key, content_sha256, pipeline, media_type, kind, as_of, view, supersedes
      from truth full join alive using (source, path)
    ),
    item as (
      select * from jsonb_to_recordset(${tx.json(items)})
        as item (source text, path text, as_of timestamptz, view text, supersedes text)
    )
    select pair.source, pair.path, encode(pair.sha256, 'hex') as listed_sha256, pair.bytes::float8 as listed_bytes,
      encode(content_sha256, 'hex') as alive_sha256, key as document, bad.path is not null as held
    from pair left join item on (item.source, item.path) = (pair.source, pair.path)
      left join quarantine as bad on not ${retry_quarantined} and bad.project = ${project}
        and (bad.source, bad.path, bad.sha256) = (pair.source, pair.path, pair.sha256)
        and bad.pipeline = any(${Object.values(pipelines)})
    where not (is_listed and is_alive) or pair.sha256 <> content_sha256 or ${rewrite} or kind <> ${kind}
      or pair.pipeline is distinct from ${tx.json(pipelines)}::jsonb ->> media_type
      or (pair.as_of, pair.view, pair.supersedes) is distinct from (item.as_of, item.view, item.supersedes)
    order by pair.source, case when not (is_listed and is_alive) then content end, pair.path collate "C"`;
  for (;;) {
    const rows = await tx<Row[]>`fetch ${tx.unsafe(String(batchSize))} from differing`;
    if (rows.length > 0) yield rows;
    if (rows.length < batchSize) break;
  }
  await tx`close differing`;
}

function sidesOf({ source, path, listed_sha256, listed_bytes, alive_sha256, document }: Row): Differing {
  return {
    ...{ source, path },
    listed: listed_sha256 === null ? null : { sha256: listed_sha256, bytes: listed_bytes ?? 0 },
    alive: alive_sha256 === null || document === null ? null : { sha256: alive_sha256, document },
  };
}

async function insertItems(tx: Tx, question: DiffQuestion, before: number, changes: readonly Change[]): Promise<void> {
  if (changes.length === 0) return;
  const { wave_id, project, documentKey } = question;
  const listed = new Map(question.listed.map((item) => [`${item.source}/${item.path}`, item]));
  const rows = changes.map((change, index) => ({
    ...change,
    seq: before + index,
    document: change.document ?? documentKey(change.source, change.path),
    listed: change.change === 'removed' ? null : (listed.get(`${change.source}/${change.path}`) ?? null),
  }));
  await tx`
    insert into wave_items (wave_id, seq, project, source, path, change, document, former_path, sha256, bytes, listed)
    select ${wave_id}, seq, ${project}, source, path, change, document, former_path, decode(sha256, 'hex'), bytes, listed
    from jsonb_to_recordset(${tx.json(rows)}) as item (seq int, source text, path text, change text, document uuid,
      former_path text, sha256 text, bytes bigint, listed jsonb)`;
}
