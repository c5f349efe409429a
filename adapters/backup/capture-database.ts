import { rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Manifest, Member } from '../../domain/backup/manifest.ts';
import type { MemberWriter } from './deps.ts';
import { dumpAsTar, dumpDatabase } from './dump-database.ts';
import { insideSnapshot, type Snapshot } from './exported-snapshot.ts';
import type { PostgresTools } from './postgres-tools.ts';
import { fixSettings, hashedTables, hashTable, type TableHash } from './table-hashes.ts';

/** Half of the processors are for those who work meanwhile: with more, writers wait for one. Both databases at once, and hashes. */
const jobs = Math.max(1, Math.min(4, Math.floor(availableParallelism() / 2)));

/** A snapshot of a database as a member: `postgres-holdfast` or `postgres-holdfast_ops`. */
export async function captureDump(
  { tools, writer, work }: { readonly tools: PostgresTools; readonly writer: MemberWriter; readonly work: string },
  role: Manifest['databases'][number]['role'],
  snapshot: Snapshot,
  signal: AbortSignal,
): Promise<Member> {
  const folder = join(work, `dump-${role}`);
  try {
    await dumpDatabase(tools, snapshot, { folder, jobs, signal });
    const name = role === 'data' ? 'postgres-holdfast.dump.tar' : 'postgres-holdfast_ops.dump.tar';
    return await writer.seal({ name, kind: 'postgres', compression: 'zstd' }, dumpAsTar(folder), signal);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Hashes of all its tables, by their names, in the same snapshot that was dumped. */
export async function hashSnapshot(
  snapshot: Pick<Snapshot, 'url' | 'id'>,
  { signal, done }: { readonly signal: AbortSignal; readonly done: (bytes: number) => void },
): Promise<Record<string, TableHash>> {
  const tables = await insideSnapshot(snapshot, async (tx) => {
    await fixSettings(tx);
    return hashedTables(tx);
  });
  const hashes = new Map<string, TableHash>();
  const left = [...tables];
  const hashSome = () =>
    insideSnapshot(snapshot, async (tx) => {
      await fixSettings(tx);
      for (let table = left.shift(); table !== undefined; table = left.shift()) {
        signal.throwIfAborted();
        hashes.set(table.name, await hashTable(tx, table));
        done(table.bytes);
      }
    });
  await Promise.all(Array.from({ length: jobs }, hashSome));
  return Object.fromEntries([...hashes].sort(([a], [b]) => (a < b ? -1 : 1)));
}
