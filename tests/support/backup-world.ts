import { randomBytes, randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { createOperationsActivities } from '../../activities/operations.ts';
import type { Sql } from '../../adapters/postgres/connect.ts';
import { createBackupRunStore } from '../../adapters/postgres/backup-runs.ts';
import { createLockStore } from '../../adapters/postgres/locks.ts';
import { stampAt } from '../../domain/backup/stamp.ts';
import type { BackupResult } from '../../domain/backup/schemas.ts';
import { projectSpecSchema } from '../../domain/project/schemas.ts';
import { filledIn, templates } from '../../domain/project/template.ts';
import { postgresPrograms } from '../../infra/postgres-programs.ts';
import { createBackupParts } from '../../workers/backup-parts.ts';
import { quiet } from './backup-ground.ts';
import { commitCorpus, generationsGround } from './generations.ts';
import { ownBox, runOnTemporal } from './on-temporal.ts';
import { removeTree } from './remove-tree.ts';
import { servers } from './servers.ts';

export interface BackupWorldOptions {
  /** Of age. */
  readonly recipients?: readonly string[];
  readonly identitiesPath?: string | null;
  /** Of its stamps and its retention; default: this machine's. */
  readonly now?: () => Date;
  /** Whose queue its worker looks at. */
  readonly box?: string;
}

export type BackupWorld = Awaited<ReturnType<typeof createBackupWorld>>;

/** The pipeline as a worker has it, over stores of its own with one small project; its workflows run on the real Temporal. */
export async function createBackupWorld(options: BackupWorldOptions = {}) {
  const { recipients = [], identitiesPath = null, box = ownBox, now = () => new Date() } = options;
  const ground = await generationsGround();
  const home = mkdtempSync(join(tmpdir(), 'holdfast-backups-'));
  const { databases, sql, qdrant } = ground;
  const project = await ground.project();
  await register(sql, project, box);
  await ground.collection();
  await commitCorpus(ground, project, { put: { 'a.md': ['alpha', 'beta'], 'b.md': ['gamma'] } });
  mkdirSync(join(home, 'staged', 'ab'), { recursive: true });
  writeFileSync(join(home, 'staged', 'ab', 'abc'), 'what was staged');
  const { databaseUrl, qdrant: server } = servers();
  const told: string[] = [];
  const bins = await postgresPrograms();
  const parts = createBackupParts({
    ...{ ops: databases.ops, data: sql, qdrant, client: null as unknown as Client, home, box },
    ...{ recipients, identitiesPath, now, version: '0.0.0', env: process.env },
    servers: { postgresUrl: databaseUrl, database: databases.database, qdrant: server, postgresBins: bins },
    wakeTargets: async () => {
      told.push('published');
    },
  });
  const locks = createLockStore(databases.ops);
  const operations = createOperationsActivities({
    ...{ locks, isClosed: async () => false },
    ...({} as Pick<
      Parameters<typeof createOperationsActivities>[0],
      'services' | 'deploys' | 'events' | 'instances' | 'runs'
    >),
  });
  const activities = {
    ...{ ...parts.main, ...parts.box },
    takeLocks: operations.takeLocks.bind(operations),
    releaseLocks: operations.releaseLocks.bind(operations),
  };

  return {
    ...{ ...parts, ground, home, project, databases, locks, told, activities, qdrant },
    backupRuns: createBackupRunStore(databases.ops),

    /** One more commit, so that two points differ. */
    async change(): Promise<void> {
      await commitCorpus(ground, project, { put: { [`${randomBytes(4).toString('hex')}.md`]: ['delta'] } });
    },

    async run(
      type: 'backup' | 'validatePoint' | 'prune',
      request: object,
      more: { readonly stamp?: string; readonly activities?: object } = {},
    ): Promise<BackupResult & { readonly id: string; readonly stamp: string }> {
      const { activities: other = {}, ...rest } = more;
      const backup_id = randomUUID();
      const input = { backup_id, box, actor: 'tester', trigger: 'operator', request, ...rest };
      const workflowId = `t-${type}/${backup_id}`;
      const result = await runOnTemporal<BackupResult>({
        ...{ type, workflowId, input, activities: { ...activities, ...other } },
      });
      const run = await this.backupRuns.find(backup_id);
      return { ...result, id: backup_id, stamp: run?.stamp ?? '' };
    },

    /** A point as the pipeline makes it, recorded as proved by L0 to L2. */
    async publishedPoint(): Promise<string> {
      const stamp = stampAt(new Date(), randomBytes(2).toString('hex'));
      await parts.maker.copy({ ...quiet, stamp, backup_id: randomUUID(), include_vectors: true });
      const at = new Date().toISOString();
      await parts.maker.publish(stamp, { L0: { at, ms: 1 }, L1: { at, ms: 1 }, L2: { at, ms: 1 } }, new Date());
      await parts.recoveryPoints.record(await parts.maker.manifest(stamp), box);
      return stamp;
    },

    /** One bit of its dump of the data. */
    async damage(stamp: string): Promise<void> {
      const folder = join(home, 'backups', stamp, 'members');
      const name = readdirSync(folder).find((each) => each.startsWith('postgres-holdfast.')) ?? '';
      const bytes = readFileSync(join(folder, name));
      bytes[100] = (bytes[100] ?? 0) ^ 1;
      writeFileSync(join(folder, name), bytes);
    },

    async close(): Promise<void> {
      await ground.close();
      removeTree(home);
    },
  };
}

/** What the registry says of an approved project, so that an API shows it. */
export async function register(data: Sql, project: string, box: string): Promise<void> {
  const given = { title: project, sources: [{ kind: 'upload' as const, name: 'docs' }] };
  const spec = projectSpecSchema.parse(filledIn(given, templates.plain, box));
  await data`update projects set spec = ${data.json(spec)} where id = ${project}`;
  await data`insert into project_names (name, project) values (${project}, ${project})`;
}
