import { execFile, spawn } from 'node:child_process';
import { createReadStream, createWriteStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { connectionEnv } from '../adapters/backup/postgres-tools.ts';
import { downloadSnapshot, makeSnapshot, recoverFrom } from '../adapters/backup/qdrant-snapshot.ts';
import { createMeter } from '../adapters/backup/measured.ts';
import type { QdrantServer } from '../adapters/qdrant/connect.ts';

const run = promisify(execFile);

export interface Script {
  readonly bin: string;
  /** Of both databases. */
  readonly urls: readonly string[];
  readonly qdrant: QdrantServer;
  readonly collection: string;
  readonly root: string;
  readonly target: string;
}

const dumpOf = (target: string, at: number) => join(target, `${at}.dump.zst`);
const snapshotOf = (target: string) => join(target, 'collection.snapshot');

/**
 * The plainest honest script: pg_dump piped to zstd for both databases, a snapshot of the collection fetched, cp -a of the files, and
 * all of it on the disk, as a backup has it too. Each exit code is looked at; nothing is proved. Milliseconds by part.
 */
export async function plainScript(of: Script) {
  const postgres = await timed(async () => {
    for (const [at, url] of of.urls.entries()) await dumped(of.bin, url, dumpOf(of.target, at));
  });
  const qdrant = await timed(async () => {
    const made = await makeSnapshot(of.qdrant, of.collection);
    const body = await downloadSnapshot(of.qdrant, made, new AbortController().signal);
    await pipeline(body, createWriteStream(snapshotOf(of.target)));
  });
  const files = await timed(() => run('cp', ['-a', of.root, join(of.target, 'files')]));
  const sync = await timed(() => run('sync', ['-f', of.target]));
  return { postgres, qdrant, files, sync };
}

/** What it wrote, restored as plainly: into new empty databases, and a new collection. */
export async function plainRestore(of: Script & { readonly into: readonly string[]; readonly collectionInto: string }) {
  const postgres = await timed(async () => {
    for (const [at, url] of of.into.entries())
      await piped(
        ['zstd', '-q', '-d', '-c', dumpOf(of.target, at)],
        [join(of.bin, 'pg_restore'), '--exit-on-error', '--no-owner', `--dbname=${new URL(url).pathname.slice(1)}`],
        connectionEnv(url),
      );
  });
  const qdrant = await timed(async () => {
    const meter = createMeter();
    await drained(meter.through(createReadStream(snapshotOf(of.target))));
    const snapshot = { plain: createReadStream(snapshotOf(of.target)), ...meter.result() };
    await recoverFrom(of.qdrant, of.collectionInto, snapshot, new AbortController().signal);
  });
  return { postgres, qdrant };
}

/** Each stage of a dump by itself, in MB of plain dump a second: what none of them reaches no pipeline of them does. */
export async function stagesAlone({ bin, urls, target }: Pick<Script, 'bin' | 'urls' | 'target'>) {
  const plain = join(target, 'alone.dump');
  const url = urls[0] ?? '';
  const env = { ...connectionEnv(url), PATH: process.env['PATH'] ?? '' };
  const dump = await timed(() => run(join(bin, 'pg_dump'), ['-Fc', '-Z0', '--no-sync', '-f', '/dev/null'], { env }));
  await run(join(bin, 'pg_dump'), ['-Fc', '-Z0', '-f', plain], { env });
  const { size } = await stat(plain);
  const zstd = await timed(() => run('zstd', ['-q', '-3', '-T0', '-f', '-o', '/dev/null', plain]));
  const sha256 = await timed(async () => {
    await drained(createMeter().through(createReadStream(plain, { highWaterMark: 2 ** 18 })));
  });
  const disk = await timed(() => run('dd', [`if=${plain}`, `of=${plain}.copy`, 'bs=1M', 'conv=fsync', 'status=none']));
  await Promise.all([rm(plain), rm(`${plain}.copy`)]);
  const rate = (ms: number) => Math.round(size / 1e3 / ms);
  return { dump: rate(dump), zstd: rate(zstd), sha256: rate(sha256), disk: rate(disk) };
}

async function drained(bytes: AsyncIterable<Uint8Array>): Promise<void> {
  await pipeline(bytes, new Writable({ write: (_chunk, _encoding, done) => done() }));
}

async function dumped(bin: string, url: string, path: string): Promise<void> {
  await piped([join(bin, 'pg_dump'), '-Fc', '-Z0'], ['zstd', '-q', '-T0', '-f', '-o', path], connectionEnv(url));
}

async function piped(from: readonly string[], to: readonly string[], more: Record<string, string>): Promise<void> {
  const env = { ...more, PATH: process.env['PATH'] ?? '' };
  const [source, target] = [from, to].map(([program = '', ...args], at) =>
    spawn(program, args, { env, stdio: at === 0 ? ['ignore', 'pipe', 'inherit'] : ['pipe', 'ignore', 'inherit'] }),
  );
  const ended = Promise.all(
    [source, target].map((child) => new Promise<number | null>((resolve) => child?.once('exit', resolve))),
  );
  if (source?.stdout == null || target?.stdin == null) throw new Error('The script of the baseline has no pipe');
  await pipeline(source.stdout, target.stdin);
  if ((await ended).some((code) => code !== 0)) throw new Error('The script of the baseline failed');
}

export async function timed(work: () => Promise<unknown>): Promise<number> {
  const since = performance.now();
  await work();
  return Math.round(performance.now() - since);
}
