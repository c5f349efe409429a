import { Client, Connection } from '@temporalio/client';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createPoints } from '../../adapters/backup/points.ts';
import { createBackupRunStore, type StoredBackupRun } from '../../adapters/postgres/backup-runs.ts';
import { createRecoveryPointStore } from '../../adapters/postgres/recovery-points.ts';
import { createBackupStarts } from '../../adapters/temporal/backups.ts';
import { ensureNamespace } from '../../adapters/temporal/namespace.ts';
import type { PruneRequest } from '../../domain/backup/schemas.ts';
import { register } from './backup-world.ts';
import { createBenchWorker } from './bench-worker.ts';
import { commitCorpus, generationsGround } from './generations.ts';
import { removeTree } from './remove-tree.ts';
import { servers } from './servers.ts';

export type BackupBench = Awaited<ReturnType<typeof createBackupBench>>;

const box = 'bench';

/** A real worker, and a project with a collection that it backs up. Everything under names of its own. */
export async function createBackupBench() {
  const ground = await generationsGround();
  const { databases, qdrant } = ground;
  const namespace = `t-${randomUUID().slice(0, 8)}`;
  const home = mkdtempSync(join(tmpdir(), 'holdfast-backup-bench-'));
  mkdirSync(join(home, 'staged', 'ab'), { recursive: true });
  writeFileSync(join(home, 'staged', 'ab', 'abc'), 'what was staged');
  const project = await ground.project();
  await register(databases.data, project, box);
  const collection = await ground.collection();
  const texts = Array.from({ length: 300 }, (_, at) => `what page ${at} says`);
  await commitCorpus(ground, project, { put: { 'a.md': texts, 'b.md': ['gamma'] } });
  const connection = await Connection.connect({ address: servers().temporalAddress });
  await ensureNamespace(connection, namespace);
  const client = new Client({ connection, namespace });
  const worker = createBenchWorker({ home, databases, namespace, env: { HOLDFAST_EMBEDDINGS: 'none' } });
  const runs = createBackupRunStore(databases.ops);
  const starts = createBackupStarts(client);
  const asked = () => ({ backup_id: randomUUID(), box, actor: 'tester', trigger: 'operator' as const });
  const points = createPoints(join(home, 'backups'));

  async function ended(id: string): Promise<StoredBackupRun> {
    const deadline = Date.now() + 550_000;
    while (Date.now() < deadline) {
      const found = await runs.find(id);
      if (found?.closed_at != null) {
        await client.workflow.getHandle(found.workflow_id).result();
        return found;
      }
      await sleep(100);
    }
    throw new Error(`The run did not end: ${JSON.stringify(await runs.find(id))}`);
  }

  const namesIn = (folder: string): string[] => {
    try {
      return readdirSync(join(home, 'backups', folder));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  };

  return {
    ...{ ground, databases, home, project, collection, points, runs, client },
    ...worker,
    recoveryPoints: createRecoveryPointStore(databases.ops),

    async backup(): Promise<StoredBackupRun> {
      const input = { ...asked(), request: { include_vectors: true } };
      await runs.open('create', null, input, await starts.backup(input));
      return ended(input.backup_id);
    },
    async prune(request: PruneRequest): Promise<StoredBackupRun> {
      const input = { ...asked(), request };
      await runs.open('prune', null, input, await starts.prune(input));
      return ended(input.backup_id);
    },
    async validate(stamp: string): Promise<StoredBackupRun> {
      const input = { ...asked(), stamp, request: { level: 'L2' as const } };
      await runs.open('validate', stamp, input, await starts.validate(input));
      return ended(input.backup_id);
    },

    /** What a run that is over must not have left, in words. */
    async left(): Promise<string[]> {
      const { ops, data, database } = databases;
      const like = `${database.slice(0, 16)}\\_scratch\\_%`;
      const names = await data<{ name: string }[]>`
        select 'database ' || datname as name from pg_database where datname like ${like}
        union all select 'role ' || rolname from pg_roles where rolname like ${like}`;
      const rows = await ops<{ name: string }[]>`
        select 'pin of ' || owner as name from pins union all select 'lock of ' || resource from locks`;
      const stamps = (await runs.list({ limit: 200 })).flatMap(({ stamp }) => (stamp === null ? [] : [stamp]));
      const scratch = stamps.map((stamp) => `holdfast-scratch-${stamp.toLowerCase().replace('-', '_')}`);
      const { collections } = await qdrant.getCollections();
      const snapshots = await qdrant.listSnapshots(collection);
      return [
        ...[...names, ...rows].map(({ name }) => name),
        ...collections.filter(({ name }) => scratch.some((each) => name.startsWith(each))).map(({ name }) => name),
        ...snapshots.map(({ name }) => `snapshot ${name}`),
        ...['partial', 'work'].flatMap((folder) => namesIn(folder).map((name) => `${folder}/${name}`)),
      ];
    },

    async close(): Promise<void> {
      await worker.killWorker();
      await connection.close();
      await ground.close();
      removeTree(home);
    },
  };
}
