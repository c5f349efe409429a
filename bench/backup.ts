import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs, promisify } from 'node:util';
import { captureAll, type CaptureFacts } from '../adapters/backup/capture.ts';
import { compareScratch } from '../adapters/backup/compare.ts';
import { createMemberReader, createMemberWriter } from '../adapters/backup/sealed-member.ts';
import { dropRestoredCollection } from '../adapters/backup/restore-collection.ts';
import { handOverDatabase } from '../adapters/backup/restore-database.ts';
import { dropScratch, restoreIntoScratch } from '../adapters/backup/scratch.ts';
import { asAdmin } from '../adapters/backup/scratch-role.ts';
import type { BackupServers } from '../adapters/backup/deps.ts';
import { connect, databaseUrl, type Sql } from '../adapters/postgres/connect.ts';
import { createPinStore } from '../adapters/postgres/pins.ts';
import { connectQdrant } from '../adapters/qdrant/connect.ts';
import { swapDatabases } from '../adapters/restore/swap-database.ts';
import type { Finding } from '../domain/backup/finding.ts';
import { manifestDraftSchema } from '../domain/backup/manifest.ts';
import { readBuildInfo } from '../infra/build-info.ts';
import { loadConfig } from '../infra/config.ts';
import { packageRoot } from '../infra/package-root.ts';
import { installedPostgres } from '../infra/stack/prerequisites.js';
import { startStack } from '../infra/stack/stack.ts';
import { makeContents, type BenchContents } from './backup-data.ts';
import { plainRestore, plainScript, stagesAlone, timed, type Script } from './backup-script.ts';
import { whileWriting } from './backup-writers.ts';

const usage = 'npm run bench backup -- [--points 100000] [--gigabytes 1] [--files 10000] [--rounds 3] [--evidence]';
const say = (line: string): void => void process.stderr.write(`${line}\n`);
const quiet = { say: () => undefined, step: <T>(_: string, work: () => Promise<T>) => work() };
const watched = { signal: new AbortController().signal, beat: () => undefined };

/** Issue 7: a backup beside the plainest honest script, in the same run, on servers of its own; hashes and L2 apart. */
async function main(contents: BenchContents, rounds: number, evidence: boolean): Promise<void> {
  const load_before = loadavg()[0];
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-bench-backup-'));
  await chmod(folder, 0o711);
  const usual = loadConfig();
  const config = {
    ...{ ...usual, home: join(folder, 'home'), box: 'bench' },
    temporal: { ...usual.temporal, address: null },
    postgres: { ...usual.postgres, url: null },
    qdrant: { ...usual.qdrant, url: null },
  };
  await mkdir(config.home, { mode: 0o711 });
  const stack = await startStack(config, quiet, { apps: false, signal: watched.signal });
  const { database } = config.postgres;
  const data = connect(databaseUrl(stack.database_url, database), { name: 'holdfast-bench', max: 8 });
  const ops = connect(databaseUrl(stack.database_url, `${database}_ops`), { name: 'holdfast-bench', max: 4 });
  const qdrant = connectQdrant(stack.qdrant, 600_000);
  const postgresBins = (await installedPostgres()).map(({ bin }) => bin);
  const servers: BackupServers = { postgresUrl: stack.database_url, database, qdrant: stack.qdrant, postgresBins };
  try {
    say('making the data');
    const made = await makeContents({ data, qdrant, folder }, contents);
    await data`
      insert into source_listings (project, source, items, bytes) values ('bench', 'writer', 0, 0)`;
    const measured = [];
    for (let round = 1; round <= rounds; round += 1) {
      say(`round ${round} of ${rounds}`);
      measured.push(await measure({ servers, data, ops, qdrant, folder, ...made }, round));
    }
    const [size] = await data<{ bytes: string }[]>`select pg_database_size(current_database()) as bytes`;
    const result = {
      bench: 'backup',
      command: `npm run bench backup -- ${process.argv.slice(2).join(' ')}`.trim(),
      ...readBuildInfo(),
      at: new Date().toISOString(),
      machine: {
        ...{ cores: cpus().length, cpu: cpus()[0]?.model, load_before, node: process.versions.node },
        // Which decides what a commit waits for, where there are few cores: docs/explanation/recovery.md.
        autogroup: (await readFile('/proc/sys/kernel/sched_autogroup_enabled', 'utf8').catch(() => '0')).trim() === '1',
      },
      contents: { ...contents, postgres_bytes: Number(size?.bytes) },
      median: {
        backup_ratio: median(measured.map((each) => each.backup_ratio)),
        restore_ratio: median(measured.map((each) => each.restore_ratio)),
      },
      rounds: measured,
    };
    const json = `${JSON.stringify(result, null, 2)}\n`;
    process.stdout.write(json);
    if (evidence) await writeFile(join(packageRoot, 'docs/evidence/bench-backup.json'), json);
  } finally {
    await Promise.all([data.end(), ops.end()]);
    await stack.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

interface Bench {
  readonly servers: BackupServers;
  readonly data: ReturnType<typeof connect>;
  readonly ops: ReturnType<typeof connect>;
  readonly qdrant: ReturnType<typeof connectQdrant>;
  readonly folder: string;
  readonly collection: string;
  readonly root: string;
}

async function measure(bench: Bench, round: number) {
  const { servers, collection, root } = bench;
  const folder = join(bench.folder, `round-${round}`);
  const target = join(folder, 'script');
  await mkdir(target, { recursive: true });
  const urls = [servers.database, `${servers.database}_ops`].map((name) => databaseUrl(servers.postgresUrl, name));
  const bin = servers.postgresBins[0] ?? '';
  const plain = { bin, urls, qdrant: servers.qdrant, collection, root, target };
  const alone = await stagesAlone(plain);
  const script = await plainScript(plain);
  const backup = await taken(bench, join(folder, 'point'));
  const restored = await proved(bench, join(folder, 'point'), backup.facts);
  const baseline = await restoredPlainly(bench, plain);

  // Once more beside writers; the script beside the same writers; and they for as long without either: what is their own.
  const on = {
    ...{ databaseUrl: urls[0] ?? '', qdrant: servers.qdrant, collection },
    ...{ dimensions: 384, project: 'bench' },
  };
  const waiting = async <T>(work: () => Promise<T>) => {
    await settled(bench);
    return whileWriting(on, work);
  };
  const beside = await waiting(() => taken(bench, join(folder, 'beside')));
  const proving = await waiting(() => proved(bench, join(folder, 'beside'), beside.result.facts));
  await rm(target, { recursive: true });
  await mkdir(target);
  const scripted = await waiting(() => plainScript(plain));
  const without = await waiting(() => sleep(beside.result.wall_ms));
  await rm(folder, { recursive: true });

  const script_ms = sum(Object.values(script));
  const baseline_ms = baseline.postgres + baseline.qdrant;
  const mb_per_s = Math.round(sum(backup.facts.members.map((each) => each.plain.bytes)) / 1e3 / backup.copy_ms);
  return {
    ...{ script_ms, script, copy_ms: backup.copy_ms, hash_ms: backup.hash_ms, ...restored },
    backup_ratio: ratio(backup.copy_ms, script_ms),
    ...{ baseline_restore_ms: baseline_ms, baseline_restore: baseline },
    restore_ratio: ratio(restored.restore_ms + restored.swap_ms, baseline_ms),
    longest_pause_ms: {
      ...{ with_backup: beside.pauses, with_proof: proving.pauses },
      ...{ with_script: scripted.pauses, without: without.pauses },
    },
    beside_writers_ms: beside.result.copy_ms,
    ...{ mb_per_s, alone_mb_per_s: alone, share_of_slowest: ratio(mb_per_s, Math.min(...Object.values(alone))) },
    stored_bytes: sum(backup.facts.members.map((each) => each.stored.bytes)),
  };
}

/** What was written before is on the disk: nobody waits for that who is measured next. */
async function settled({ servers }: Bench): Promise<void> {
  await asAdmin(servers.postgresUrl, (admin) => admin`checkpoint`);
  await promisify(execFile)('sync');
}

/** All that a backup does before its proof; what takes the hashes is apart. */
async function taken({ servers, data, ops, root }: Bench, folder: string) {
  await mkdir(join(folder, 'members'), { recursive: true });
  const writer = createMemberWriter({ folder, recipients: [], env: process.env });
  const fileSets = [{ name: 'bench', service: null, root, exclude: [] }];
  const owner = `backup/${folder}`;
  const since = performance.now();
  const { facts, timings_ms } = await captureAll(
    { ...servers, data, ops, writer },
    { ...watched, folder, include_vectors: true, fileSets, pin_owner: owner },
  );
  const wall_ms = Math.round(performance.now() - since);
  await createPinStore({ data, ops }).unpin(owner);
  return { facts, wall_ms, copy_ms: wall_ms - timings_ms.hash, hash_ms: timings_ms.hash };
}

/** Restored beside, compared, and put in the place of another database of the same size: the live one stays what it is. */
async function proved({ servers }: Bench, folder: string, facts: CaptureFacts) {
  const versions = { ...facts.versions, holdfast: 'bench' };
  const manifest = manifestDraftSchema.parse({
    ...{ format: 'holdfast-point/1', stamp: '20261122T010000Z-0c0c', box: 'bench', encryption: null },
    ...{ ...facts, versions },
  });
  const reader = createMemberReader({ folder, identities: [], env: process.env });
  const workFolder = join(folder, 'work');
  await mkdir(workFolder, { recursive: true });
  const of = { ...servers, reader };
  const clock = createStepClock();
  const request = { ...watched, beat: clock.beat, manifest, scratch: 'bench', workFolder };
  const scratch = await restoreIntoScratch(of, request);
  const restore = clock.end();
  const found: Finding[] = [];
  const compare_ms = await timed(async () => {
    found.push(...(await compareScratch(of, { ...watched, manifest, scratch, workFolder })));
  });
  const wrong = found.filter(({ ok }) => !ok);
  if (wrong.length > 0) throw new Error(`L2 failed: ${JSON.stringify(wrong)}`);
  const swap_ms = await swapped(servers, scratch.databases.data);
  await dropScratch(servers, 'bench');
  return { restore_ms: sum(Object.values(restore)), restore, compare_ms, swap_ms };
}

/** How long each step took, in ms, by what the steps say of themselves. */
function createStepClock() {
  const took: Record<string, number> = {};
  let at = { step: 'begin', since: performance.now() };
  const next = (step: string): void => {
    const now = performance.now();
    took[at.step] = (took[at.step] ?? 0) + Math.round(now - at.since);
    at = { step, since: now };
  };
  return {
    beat: ({ step }: { readonly step: string }): void => (step === at.step ? undefined : next(step)),
    end(): Readonly<Record<string, number>> {
      next('end');
      return took;
    },
  };
}

async function swapped({ postgresUrl }: BackupServers, incoming: string): Promise<number> {
  const [live, outgoing] = ['bench_live', 'bench_outgoing'];
  return asAdmin(postgresUrl, async (ending) => {
    await handOverDatabase({ postgresUrl }, { database: incoming });
    await ending.unsafe(`create database ${live}`);
    const admin = connect(postgresUrl, { name: 'holdfast-bench', max: 2 });
    const sessions = connect(databaseUrl(postgresUrl, live), { name: 'holdfast-bench', max: 8 });
    // Eight that would stand in the way of a rename.
    await Promise.all(Array.from({ length: 8 }, () => sessions`select pg_sleep(0.05)`));
    try {
      const oid = await oidOf(ending, incoming);
      return await timed(() => swapDatabases(admin, { live, incoming, outgoing, incoming_oid: oid }));
    } finally {
      await Promise.all([admin.end(), sessions.end({ timeout: 1 })]);
      for (const name of [live, outgoing]) await ending.unsafe(`drop database if exists ${name} with (force)`);
    }
  });
}

async function oidOf(admin: Sql, name: string): Promise<number> {
  const [row] = await admin<{ oid: number }[]>`select oid::int8::int as oid from pg_database where datname = ${name}`;
  return row?.oid ?? 0;
}

async function restoredPlainly({ servers }: Bench, plain: Script) {
  const names = ['bench_plain', 'bench_plain_ops'];
  return asAdmin(servers.postgresUrl, async (admin) => {
    for (const name of names) await admin.unsafe(`create database ${name} template template0`);
    const into = names.map((name) => databaseUrl(servers.postgresUrl, name));
    try {
      return await plainRestore({ ...plain, into, collectionInto: 'bench-plain' });
    } finally {
      for (const name of names) await admin.unsafe(`drop database if exists ${name} with (force)`);
      await dropRestoredCollection(servers, 'bench-plain');
    }
  });
}

function ratio(one: number, other: number): number {
  return Number((one / other).toFixed(2));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, each) => total + each, 0);
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

const { values } = parseArgs({
  options: {
    points: { type: 'string', default: '100000' },
    gigabytes: { type: 'string', default: '1' },
    files: { type: 'string', default: '10000' },
    rounds: { type: 'string', default: '3' },
    evidence: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) say(usage);
else {
  const contents = { points: Number(values.points), gigabytes: Number(values.gigabytes), files: Number(values.files) };
  main(contents, Number(values.rounds), values.evidence).then(
    () => process.exit(0),
    (error: unknown) => {
      say(error instanceof Error ? (error.stack ?? error.message) : String(error));
      process.exit(1);
    },
  );
}
