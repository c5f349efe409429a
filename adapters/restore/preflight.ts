import { readdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Finding } from '../../domain/backup/finding.ts';
import type { Manifest } from '../../domain/backup/manifest.ts';
import { isPermanentFailure } from '../../domain/failures.ts';
import { passed, refused, type PreflightCheck, type PreflightReport } from '../../domain/restore/preflight.ts';
import { workFolderPattern } from '../../domain/restore/replacement.ts';
import type { RestoreReference, WantedSet } from '../../domain/restore/run.ts';
import type { RestoreRequest } from '../../domain/restore/schemas.ts';
import type { Watched } from '../backup/deps.ts';
import { freeBytes } from '../files/disk.ts';
import { connect, type Sql } from '../postgres/connect.ts';
import { mountsInside } from '../files/mounts.ts';
import type { OpenedPoint, OpenPoint } from './point.ts';
import type { RunningServices } from './running-services.ts';

export interface PreflightDeps {
  readonly postgresUrl: string;
  readonly database: string;
  readonly openPoint: OpenPoint;
  /** Why a point may not be restored, by what is known of it; null: it may. */
  readonly refusalOf: (stamp: string) => Promise<string | null>;
  /** L0 of the members that will be read. */
  readonly checkBytes: (point: OpenedPoint, watched: Watched) => Promise<Finding[]>;
  /** Throws PermanentFailure when what opens its members is not here. */
  readonly checkKeys: (manifest: Manifest) => Promise<void>;
  /** Throws PermanentFailure `PostgresToolsMissing`. */
  readonly checkTools: () => Promise<void>;
  /** Of infra/migrations/holdfast. */
  readonly migrations: () => Promise<readonly string[]>;
  /** Of the server now; null: it does not answer. */
  readonly qdrantVersion: () => Promise<string | null>;
  readonly running: RunningServices;
  /** Where each store writes; null: elsewhere, or not known. */
  readonly places: () => Promise<{
    readonly postgres: string | null;
    readonly qdrant: string | null;
    readonly work: string;
  }>;
}

export type Preflight = ReturnType<typeof createPreflight>;

/** A dump is without its indexes. */
const restoredPerDumped = 2;

/** Everything that can be known beforehand to stand in the way. Nothing is changed; all of it is told at once. */
export function createPreflight(deps: PreflightDeps) {
  return async ({ stamp }: RestoreReference, request: RestoreRequest, watched: Watched): Promise<PreflightReport> => {
    const known = await deps.refusalOf(stamp);
    if (known !== null) return { checks: [refused('point', known)], sets: [], degraded: [] };
    const opened = await orRefusal('point', () => deps.openPoint(stamp));
    if ('check' in opened) return { checks: [opened], sets: [], degraded: [] };
    const { manifest } = opened;
    const wanted = wantedSets(manifest, request.files);
    const unknown = (request.files ?? []).filter((name) => !wanted.some((set) => set.name === name));
    const bytes = await deps.checkBytes(opened, watched);
    const running = await deps.running.whoUses(stamp, wanted, watched.signal);
    const checks = [
      unknown.length === 0
        ? passed('point', 'published, signed and proved', { taken_at: manifest.taken_at, versions: manifest.versions })
        : refused('point', `it has no files called ${unknown.join(', ')}`),
      bytesCheck(bytes),
      await said('keys', () => deps.checkKeys(manifest), 'every member can be opened'),
      await said('tools', deps.checkTools, 'pg_restore is here'),
      await postgresCheck(deps, manifest),
      await migrationsCheck(deps, manifest),
      confirmedCheck(wanted, request),
      { check: 'services', ...running },
      await foldersCheck(manifest, wanted),
      await roomCheck(deps, manifest, wanted),
    ];
    return { checks, sets: wanted, degraded: await degradedBy(deps, manifest) };
  };
}

function wantedSets({ file_sets }: Manifest, names: readonly string[] | null): WantedSet[] {
  const wanted = file_sets.filter(({ name }) => names === null || names.includes(name));
  return wanted.map(({ name, service }) => ({ name, service }));
}

function bytesCheck(findings: readonly Finding[]): PreflightCheck {
  const bad = findings.filter(({ ok }) => !ok);
  const reasons = bad.slice(0, 5).map(({ check, reason }) => `${check}: ${reason}`);
  const ok = bad.length === 0 && findings.length > 0;
  return ok
    ? passed('bytes', `${findings.length} checks`)
    : refused('bytes', reasons.join('; ') || 'nothing was checked');
}

/** The swap needs the right to rename, and nobody who may not be sent away. */
async function postgresCheck({ postgresUrl, database }: PreflightDeps, manifest: Manifest): Promise<PreflightCheck> {
  const admin = connect(postgresUrl, { name: 'holdfast-restore', max: 1 });
  try {
    const { server, may, prepared } = await postgresFacts(admin, database);
    const [here = 0, there = 0] = [server, manifest.versions.postgres].map((version) => Number.parseInt(version, 10));
    if (here < there) return refused('postgres', `the point is of PostgreSQL ${there}, and this server is ${here}`);
    if (!may)
      return refused(
        'postgres',
        `the role of DATABASE_URL may not rename ${database}: it needs CREATEDB and its ownership`,
      );
    if (prepared > 0)
      return refused('postgres', `${prepared} prepared transactions in ${database}: commit or roll them back`);
    return passed('postgres', server);
  } finally {
    await admin.end();
  }
}

async function postgresFacts(admin: Sql, database: string) {
  const [row] = await admin<{ server: string; may: boolean; prepared: number }[]>`
    select current_setting('server_version') as server,
      (select rolsuper or (rolcreatedb and exists (
        select 1 from pg_database where datname = ${database} and pg_has_role(datdba, 'usage')))
       from pg_roles where rolname = current_user) as may,
      (select count(*)::int from pg_prepared_xacts where database = ${database}) as prepared`;
  if (row === undefined) throw new Error('PostgreSQL says nothing of itself');
  return row;
}

async function migrationsCheck({ migrations }: PreflightDeps, manifest: Manifest): Promise<PreflightCheck> {
  const here = await migrations();
  const newer = manifest.migrations.holdfast.filter((name) => !here.includes(name));
  if (newer.length === 0) return passed('migrations', `${manifest.migrations.holdfast.length} applied in the point`);
  return refused('migrations', `the point is of a newer Holdfast, with ${newer.join(', ')}: run that one`);
}

function confirmedCheck(wanted: readonly WantedSet[], request: RestoreRequest): PreflightCheck {
  const services = [...new Set(wanted.flatMap(({ service }) => (service === null ? [] : [service])))];
  if (services.length === 0) return passed('confirmed', 'no files of services are replaced');
  if (request.confirm_service_stopped) return passed('confirmed', `stopped: ${services.join(', ')}`);
  return refused(
    'confirmed',
    `files of ${services.join(', ')} are replaced: stop them and say --confirm-service-stopped`,
  );
}

async function foldersCheck({ file_sets }: Manifest, wanted: readonly WantedSet[]): Promise<PreflightCheck> {
  const wrong: string[] = [];
  for (const { name } of wanted) {
    const root = file_sets.find((set) => set.name === name)?.root;
    if (root === undefined || !(await isFolder(root))) continue;
    const inner = await mountsInside(root);
    if (inner.length > 0) wrong.push(`${inner[0] ?? ''} is mounted within ${root}: declare it as files of its own`);
    const left = (await readdir(root)).filter((entry) => workFolderPattern.test(entry));
    if (left.length > 0) wrong.push(`${root} holds ${left[0] ?? ''} of another restore`);
  }
  return wrong.length === 0 ? passed('folders', `${wanted.length} file sets`) : refused('folders', wrong.join('; '));
}

/** Both sides lie beside each other until one is let go. Sums are by file system, because stores share them. */
async function roomCheck(
  deps: Pick<PreflightDeps, 'places'>,
  { members, file_sets, databases }: Manifest,
  wanted: readonly WantedSet[],
): Promise<PreflightCheck> {
  const places = await deps.places();
  const plain = (name: string | undefined) => members.find((member) => member.name === name)?.plain.bytes ?? 0;
  const dump = plain(databases.find(({ role }) => role === 'data')?.member);
  const qdrant = members.filter(({ kind }) => kind === 'qdrant').reduce((sum, each) => sum + each.plain.bytes, 0);
  const needs: (readonly [string | null, number])[] = [
    [places.work, dump],
    [places.postgres, dump * restoredPerDumped],
    [places.qdrant, qdrant * 2],
    ...file_sets
      .filter(({ name }) => wanted.some((set) => set.name === name))
      .map(({ root, bytes }) => [root, bytes] as const),
  ];
  const byDevice = new Map<number, { path: string; bytes: number }>();
  for (const [path, bytes] of needs) {
    const folder = path === null ? null : await nearestFolder(path);
    if (folder === null) continue;
    const { dev } = await stat(folder);
    byDevice.set(dev, { path: folder, bytes: (byDevice.get(dev)?.bytes ?? 0) + bytes });
  }
  const wrong: string[] = [];
  for (const { path, bytes } of byDevice.values()) {
    const free = await freeBytes(path);
    if (free < bytes) wrong.push(`${bytes} bytes are needed at ${path}, and ${free} are free`);
  }
  const most = Math.max(0, ...[...byDevice.values()].map(({ bytes }) => bytes));
  return wrong.length === 0 ? passed('room', `${most} bytes fit`) : refused('room', wrong.join('; '));
}

async function degradedBy({ qdrantVersion }: PreflightDeps, { versions, collections }: Manifest): Promise<string[]> {
  const minor = (version: string | null) => version?.split('.').slice(0, 2).join('.') ?? null;
  const here = await qdrantVersion();
  if (collections.length === 0 || minor(here) === minor(versions.qdrant)) return [];
  return [`the snapshots are of Qdrant ${versions.qdrant ?? 'unknown'}, and this one is ${here ?? 'away'}`];
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

async function nearestFolder(path: string): Promise<string> {
  for (let at = path; ; at = dirname(at)) if (at === '/' || (await isFolder(at))) return at;
}

async function said(check: string, work: () => Promise<void>, reason: string): Promise<PreflightCheck> {
  const found = await orRefusal(check, work);
  return found !== undefined && 'check' in found ? found : passed(check, reason);
}

async function orRefusal<T>(check: string, work: () => Promise<T>): Promise<T | PreflightCheck> {
  try {
    return await work();
  } catch (error) {
    if (isPermanentFailure(error)) return refused(check, error.message);
    throw error;
  }
}
