import type { Client, WorkflowHandle } from '@temporalio/client';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { createLexicalOnly } from '../../adapters/embeddings/embedder.ts';
import { connect, type Sql } from '../../adapters/postgres/connect.ts';
import { createRestoreStore } from '../../adapters/postgres/restores.ts';
import type { Box } from '../../adapters/box.ts';
import { restoreCommandUpdate, type RestoreCommandMessage, type RestoreInput } from '../../domain/restore/run.ts';
import { restoreRequestSchema, type RestoreResult } from '../../domain/restore/schemas.ts';
import type { RestoreCommand, RestorePhase } from '../../domain/restore/words.ts';
import { packageRoot } from '../../infra/package-root.ts';
import { postgresPrograms } from '../../infra/postgres-programs.ts';
import { createRestoreParts } from '../../workers/restore-parts.ts';
import { createBackupWorld } from './backup-world.ts';
import { rowsAt } from './generations.ts';
import { ownBox, runOnTemporal } from './on-temporal.ts';
import { servers } from './servers.ts';

export type RestoreWorld = Awaited<ReturnType<typeof createRestoreWorld>>;

/** Backups and restores as a worker has them, over stores of their own, on the real Temporal. */
export async function createRestoreWorld() {
  const backups = await createBackupWorld();
  const { databases, home, project, qdrant } = backups;
  const { databaseUrl, qdrant: server } = servers();
  const parts = createRestoreParts({
    ...{
      ops: databases.ops,
      data: databases.data,
      qdrant,
      client: null as unknown as Client,
      home,
      box: ownBox,
      env: process.env,
    },
    servers: {
      ...{ postgresUrl: databaseUrl, database: databases.database, qdrant: server },
      postgresBins: await postgresPrograms(),
    },
    ...{ embeddings: createLexicalOnly('a test that embeds nothing'), drivers: {} as Box['drivers'] },
    ...{ identitiesPath: null, migrations: join(packageRoot, 'infra/migrations/holdfast'), agreements: [] },
    // Nobody listens there.
    apiUrl: 'http://127.0.0.1:9',
  });
  const activities = {
    ...{ ...backups.activities, ...parts.main, ...parts.box },
    wakeAfterRestore: async () => undefined,
  };
  const restores = createRestoreStore(databases.ops);

  /** What everybody who connects sees. */
  async function live<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    const sql = connect(databases.dataUrl, { name: 'holdfast-test-live', max: 1 });
    try {
      return await work(sql);
    } finally {
      await sql.end();
    }
  }

  return {
    ...{ ...backups, restores, live, activities },

    /** A point, taken by its own workflow. */
    point: async (): Promise<string> => (await backups.run('backup', { include_vectors: true }, { activities })).stamp,

    paths: (): Promise<string[]> =>
      live(async (sql) => {
        const [row] = await sql<{ visible: string }[]>`select visible from projects where id = ${project}`;
        return Object.keys(await rowsAt(sql, project, Number(row?.visible)));
      }),

    async restore(
      stamp: string,
      request: object = {},
      meanwhile: (say: (command: RestoreCommand) => Promise<boolean>, id: string) => Promise<void> = async () =>
        undefined,
      other: object = {},
    ): Promise<RestoreResult & { readonly id: string }> {
      const restore_id = randomUUID();
      const input: RestoreInput = {
        ...{ restore_id, stamp, box: ownBox, actor: 'tester', trigger: 'operator' },
        request: restoreRequestSchema.parse(request),
      };
      const run = {
        ...{ type: 'restore', workflowId: `t-restore/${restore_id}`, input },
        activities: { ...activities, ...other },
      };
      const result = await runOnTemporal<RestoreResult>(run, (handle: WorkflowHandle) =>
        meanwhile((command) => {
          const message = { restore_id, command, actor: 'tester' };
          return handle.executeUpdate<boolean, [RestoreCommandMessage]>(restoreCommandUpdate, { args: [message] });
        }, restore_id),
      );
      return { ...result, id: restore_id };
    },

    async until(id: string, phase: RestorePhase): Promise<void> {
      for (const end = Date.now() + 120_000; (await restores.find(id))?.phase !== phase;) {
        if (Date.now() > end) throw new Error(`It never came to ${phase}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
  };
}
