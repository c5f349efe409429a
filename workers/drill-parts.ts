import type { QdrantClient } from '@qdrant/js-client-rest';
import getPort from 'get-port';
import { join } from 'node:path';
import { createDrillRowActivities } from '../activities/drill-rows.ts';
import { createDrillActivities } from '../activities/drill.ts';
import { readIdentities } from '../adapters/backup/age-key.ts';
import type { BackupServers } from '../adapters/backup/deps.ts';
import { createPoints } from '../adapters/backup/points.ts';
import { readTrustedKeys } from '../adapters/backup/signing-key.ts';
import type { Embeddings } from '../adapters/embeddings/embedder.ts';
import { createMemoryReconciliation } from '../adapters/memories/reconcile.ts';
import { createBackupRunStore } from '../adapters/postgres/backup-runs.ts';
import type { Sql } from '../adapters/postgres/connect.ts';
import { createDrillStore } from '../adapters/postgres/drills.ts';
import { createEventStore } from '../adapters/postgres/events.ts';
import { createOffsiteStore } from '../adapters/postgres/offsite.ts';
import { createRecoveryPointStore } from '../adapters/postgres/recovery-points.ts';

export interface DrillWorld {
  readonly ops: Sql;
  readonly data: Sql;
  readonly qdrant: QdrantClient;
  readonly servers: BackupServers;
  readonly embeddings: Embeddings;
  readonly home: string;
  readonly box: string;
  readonly env: NodeJS.ProcessEnv;
  /** A file of keys of age, for drills; null: none is on this box. */
  readonly identitiesPath: string | null;
  /** api/main.ts, compiled. */
  readonly apiProgram: string;
}

/** For so long nobody may write, at most, for the sake of vectors. */
const agreeMs = 60_000;

/** Everything that drills and memories need, put together once a worker process. */
export function createDrillParts(world: DrillWorld) {
  const { ops, data, qdrant, servers, embeddings, home, box, env, apiProgram } = world;
  const drills = createDrillStore(ops);
  const live = { data, ops, qdrant, embeddings };
  const offsite = createOffsiteStore(ops);
  const memories = createMemoryReconciliation(live);
  let owed = false;
  return {
    memories: {
      async all(signal: AbortSignal) {
        const done = await memories.all(signal);
        owed = false;
        return done;
      },
      differs: async () => owed || (await memories.differs()),
    },
    /** Of the side that is live after a restore. What its model cannot do at once is done by `memories`, behind it. */
    agree: async (restored: Sql, signal: AbortSignal) => {
      const done = await createMemoryReconciliation({ ...live, data: restored }).inTime(agreeMs, signal);
      if (done.later !== null) owed = true;
      return done;
    },

    main: createDrillRowActivities({
      ...{ drills, events: createEventStore(ops) },
      recoveryPoints: createRecoveryPointStore(ops),
      backupRuns: createBackupRunStore(ops),
    }),
    box: createDrillActivities({
      ...{ drills, live, servers, ops, embeddings, env, apiProgram },
      points: createPoints(join(home, 'backups')),
      root: join(home, 'drills'),
      trusted: () => readTrustedKeys(join(home, 'secrets')),
      identities: async () => (world.identitiesPath === null ? [] : readIdentities(world.identitiesPath)),
      targets: async () => (await offsite.list()).filter((target) => target.box === box && target.enabled),
      freePort: () => getPort({ host: '127.0.0.1' }),
    }),
  };
}
