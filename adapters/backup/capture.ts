import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TransactionSql } from 'postgres';
import type { Manifest, ManifestDraft } from '../../domain/backup/manifest.ts';
import { PermanentFailure } from '../../domain/failures.ts';
import { databaseUrl, type Sql } from '../postgres/connect.ts';
import { databaseIncarnation } from '../postgres/database-incarnation.ts';
import { connectQdrant } from '../qdrant/connect.ts';
import { qdrantVersion } from '../qdrant/version.ts';
import { copyCollection, describeCollection, none, type CollectionCopy } from './capture-collection.ts';
import { captureDump, hashSnapshot } from './capture-database.ts';
import { captureFiles } from './capture-files.ts';
import type { BackupServers, MemberWriter, Watched } from './deps.ts';
import { withSnapshot, type Snapshot } from './exported-snapshot.ts';
import type { FileSet } from './file-set.ts';
import { createPinnedGenerations, scopesOf, visibleGenerations } from './pinned-generations.ts';
import { findPostgresTools, serverVersion, type PostgresTools } from './postgres-tools.ts';
import { snapshotNotes } from './snapshot-notes.ts';
import { sequenceValues } from './table-hashes.ts';
import { together } from './together.ts';
import { watching, type Watch } from './watching.ts';

export interface CaptureRequest extends Watched {
  /** `<points>/partial/<STAMP>`, with an empty `members`. What is only needed meanwhile is in `work` there, and goes. */
  readonly folder: string;
  readonly include_vectors: boolean;
  readonly fileSets: readonly FileSet[];
  /** Of the pins; whoever gave the name lets go of them. */
  readonly pin_owner: string;
}

/** What the manifest says of the contents. */
export type CaptureFacts = Omit<ManifestDraft, 'format' | 'stamp' | 'box' | 'versions' | 'encryption'> & {
  readonly versions: Omit<Manifest['versions'], 'holdfast'>;
};

export interface Captured {
  readonly facts: CaptureFacts;
  /** Hashes apart: a plain script makes none. */
  readonly timings_ms: Readonly<Record<'copy' | 'hash', number>>;
}

export interface CaptureDeps extends BackupServers {
  readonly data: Sql;
  readonly ops: Sql;
  readonly writer: MemberWriter;
}

interface Taking {
  readonly deps: CaptureDeps;
  readonly request: CaptureRequest;
  readonly work: string;
  readonly tools: PostgresTools;
  readonly watch: Watch;
}

interface Moment {
  readonly data: Snapshot;
  readonly ops: Snapshot;
  readonly generations: Manifest['generations'];
}

/** A commit or a rollback in just those milliseconds, again and again. */
const mostMoments = 10;

/**
 * Takes everything that a recovery point holds, in one attempt (G7): pins, one moment of both databases, the dumps and hashes of
 * that moment, collections after it, files; and the pins still stand at the end. Waves go on meanwhile. One that is lost begins
 * again in an empty folder. Throws PermanentFailure `PostgresToolsMissing`, `FileSetRefused`, `IncarnationChanged`, `PinLost`.
 */
export async function captureAll(deps: CaptureDeps, request: CaptureRequest): Promise<Captured> {
  const work = join(request.folder, 'work');
  await dropLeftSnapshots(deps, request.folder);
  await rm(work, { recursive: true, force: true });
  await mkdir(work, { recursive: true, mode: 0o700 });
  const { version, major } = await serverVersion(deps.postgresUrl);
  const tools = await findPostgresTools(deps.postgresBins, major);
  const watch = watching(request);
  try {
    const captured = await atOneMoment(deps, request.pin_owner, (moment) =>
      capture({ deps, request, work, tools, watch }, moment, version),
    );
    await rm(work, { recursive: true, force: true });
    return captured;
  } finally {
    watch.end();
    await snapshotNotes(work)
      .deleteAll(deps.qdrant)
      .catch(() => undefined);
  }
}

/** Of an attempt that died: snapshots that Qdrant keeps for us. As often as it is asked. */
export async function dropLeftSnapshots(deps: Pick<BackupServers, 'qdrant'>, folder: string): Promise<void> {
  await snapshotNotes(join(folder, 'work')).deleteAll(deps.qdrant);
}

/**
 * The data first: an audit event that is carried into the operations database meanwhile is then in both, and counts once there; the
 * other way round it could be in neither.
 */
async function atOneMoment<T>(deps: CaptureDeps, owner: string, work: (moment: Moment) => Promise<T>): Promise<T> {
  const pinned = createPinnedGenerations(deps, owner);
  const [dataUrl, opsUrl] = [deps.database, `${deps.database}_ops`].map((name) => databaseUrl(deps.postgresUrl, name));
  for (let left = mostMoments; left > 0; left -= 1) {
    await pinned.pinVisible();
    const done = await withSnapshot(dataUrl ?? '', (data) =>
      withSnapshot(opsUrl ?? '', async (ops) => {
        const generations = await visibleGenerations(data.tx);
        if (!(await pinned.pinSeen(generations))) return null;
        const result = await work({ data, ops, generations });
        const lost = await pinned.lost(generations);
        if (lost.length > 0) throw new PermanentFailure('PinLost', `The pins of ${lost.join(', ')} were taken away`);
        return { result };
      }),
    );
    if (done !== null) return done.result;
  }
  throw new Error('Each time that a backup began a generation was rolled back');
}

async function capture(taking: Taking, moment: Moment, postgres: string): Promise<Captured> {
  const { deps, request, tools } = taking;
  const { data, ops, generations } = moment;
  // Before the dumps, which read them later: what is restored is never below.
  const sequences = { data: await sequenceValues(data.tx), ops: await sequenceValues(ops.tx) };
  const began = performance.now();
  const copied = await copyAll(taking, moment);
  const copiedAt = performance.now();
  const hashed = await hashAll(taking, moment, copied.collections);
  const kept = hashed.collections.flatMap(({ member }) => (member === null ? [] : [member]));
  const ofCollections = copied.collections.flatMap(({ member }) =>
    member !== null && kept.includes(member.name) ? [member] : [],
  );
  await sameIncarnation(deps.data, data.tx);
  const facts: CaptureFacts = {
    taken_at: data.takenAt.toISOString(),
    versions: { postgres, pg_dump: tools.version, qdrant: await qdrantVersion(connectQdrant(deps.qdrant)) },
    migrations: { holdfast: await migrationsIn(data.tx), holdfast_ops: await migrationsIn(ops.tx) },
    incarnation: await databaseIncarnation(data.tx),
    include_vectors: request.include_vectors,
    generations,
    members: [copied.data, copied.ops, ...ofCollections, ...copied.files.map(({ member }) => member)],
    databases: [
      { role: 'data', member: copied.data.name, tables: hashed.data, sequences: sequences.data },
      { role: 'ops', member: copied.ops.name, tables: hashed.ops, sequences: sequences.ops },
    ],
    collections: hashed.collections,
    file_sets: copied.files.map(({ set }) => set),
  };
  return {
    facts,
    timings_ms: { copy: Math.round(copiedAt - began), hash: Math.round(performance.now() - copiedAt) },
  };
}

async function copyAll({ deps, request, work, tools, watch }: Taking, { data, ops, generations }: Moment) {
  watch.step('copy');
  const into = { tools, work, writer: watch.counted(deps.writer), qdrant: deps.qdrant };
  const copyCollections = async (signal: AbortSignal): Promise<CollectionCopy[]> => {
    const copies: CollectionCopy[] = [];
    for (const name of scopesOf(generations).keys()) {
      const copy = request.include_vectors ? copyCollection(into, name, signal) : none('vectors were not asked for');
      copies.push(await copy);
    }
    return copies;
  };
  const copyFiles = async (signal: AbortSignal) => {
    const captured = [];
    for (const set of request.fileSets) captured.push(await captureFiles(into, set, signal));
    return captured;
  };
  const [ofData, ofOps, collections, files] = await together(request.signal, [
    (signal: AbortSignal) => captureDump(into, 'data', data, signal),
    (signal: AbortSignal) => captureDump(into, 'ops', ops, signal),
    copyCollections,
    copyFiles,
  ]);
  return { data: ofData, ops: ofOps, collections, files };
}

async function hashAll(
  { deps, request, work, watch }: Taking,
  { data, ops, generations }: Moment,
  copies: readonly CollectionCopy[],
) {
  watch.step('hash');
  const done = watch.add;
  const describe = async (signal: AbortSignal) => {
    const described = [];
    for (const [at, [name, scopes]] of [...scopesOf(generations)].entries()) {
      const copy = copies[at] ?? none('it was not copied');
      const into = { work, writer: deps.writer, qdrant: deps.qdrant };
      described.push(await describeCollection(into, data.tx, { name, scopes, copy }, signal));
    }
    return described;
  };
  const [ofData, ofOps, collections] = await together(request.signal, [
    (signal: AbortSignal) => hashSnapshot(data, { signal, done }),
    (signal: AbortSignal) => hashSnapshot(ops, { signal, done }),
    describe,
  ]);
  return { data: ofData, ops: ofOps, collections };
}

/** What came in its place meanwhile is another database than the one that the points were compared with. */
async function sameIncarnation(live: Sql, tx: TransactionSql): Promise<void> {
  if ((await databaseIncarnation(live)) === (await databaseIncarnation(tx))) return;
  throw new PermanentFailure('IncarnationChanged', 'The database was restored while it was backed up');
}

async function migrationsIn(tx: TransactionSql): Promise<string[]> {
  return (await tx<{ name: string }[]>`select name from migrations order by name`).map(({ name }) => name);
}
