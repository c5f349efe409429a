import type { Client } from '@temporalio/client';
import type { QdrantClient } from '@qdrant/js-client-rest';
import { randomUUID } from 'node:crypto';
import { createCollectActivities } from '../activities/collect.ts';
import { createEvaluationActivities } from '../activities/evaluation.ts';
import { createWaveRowActivities } from '../activities/wave-rows.ts';
import { createWaveActivities } from '../activities/wave.ts';
import { createWriteBatch } from '../activities/write-batch.ts';
import type { Embeddings } from '../adapters/embeddings/embedder.ts';
import { freeBytes } from '../adapters/files/disk.ts';
import { createGarbage } from '../adapters/generations/collection.ts';
import { createProof } from '../adapters/generations/prove.ts';
import { createGenerationWriter } from '../adapters/generations/writer.ts';
import { createParserPool } from '../adapters/parsers/pool.ts';
import type { Sql } from '../adapters/postgres/connect.ts';
import { collectionsEnding, databaseIncarnation } from '../adapters/postgres/database-incarnation.ts';
import { createEvaluationStore } from '../adapters/postgres/evaluations.ts';
import { createEventStore } from '../adapters/postgres/events.ts';
import { createGenerationStore } from '../adapters/postgres/generations.ts';
import { createLockStore } from '../adapters/postgres/locks.ts';
import { createPinStore } from '../adapters/postgres/pins.ts';
import { createProjectStore } from '../adapters/postgres/projects.ts';
import { createQuestionSetStore } from '../adapters/postgres/question-sets.ts';
import { createVectorStore } from '../adapters/postgres/vectors.ts';
import { createWaveDiff } from '../adapters/postgres/wave-diff.ts';
import { createWaveItemStore } from '../adapters/postgres/wave-items.ts';
import { createWaveStore } from '../adapters/postgres/waves.ts';
import { ensureCollection } from '../adapters/qdrant/collections.ts';
import { createSearch, embedderAmong } from '../adapters/search/search.ts';
import { createSources } from '../adapters/sources/sources.ts';
import { createCollectRuns } from '../adapters/temporal/collect.ts';
import { createRunStatus } from '../adapters/temporal/run-status.ts';
import { createWaveRuns } from '../adapters/temporal/waves.ts';
import { dimensionsOf } from '../domain/embedding.ts';
import { plainRefresh } from '../domain/wave/run.ts';

export interface WaveWorld {
  readonly ops: Sql;
  readonly data: Sql;
  readonly qdrant: QdrantClient;
  readonly client: Client;
  readonly embeddings: Embeddings;
  readonly home: string;
  readonly box: string;
  readonly sourceRoots: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** adapters/parsers/parse-process.ts, compiled. */
  readonly parseProgram: string;
}

/** How many documents are read at once; the embedder is what a wave waits for. */
const parsers = { workers: 2, memoryMb: 512, timeoutMs: 60_000 };

/** Everything that waves need, put together once a worker process. */
export function createWaveParts(world: WaveWorld) {
  const { ops, data, qdrant, client, embeddings } = world;
  const [projects, generations, items] = [
    createProjectStore(data),
    createGenerationStore(data),
    createWaveItemStore(data),
  ];
  const [waves, locks, vectors] = [createWaveStore(ops), createLockStore(ops), createVectorStore(data)];
  const [waveRuns, collectRuns] = [createWaveRuns(client), createCollectRuns(client)];
  const sources = createSources({ ...world, sql: data, roots: world.sourceRoots, freeBytes });
  const pool = createParserPool({ program: world.parseProgram, ...parsers });
  const writer = createGenerationWriter({ sql: data, qdrant });
  const holdsLock = (token: string): Promise<boolean> => locks.holds('data', token);
  const wakeCollecting = (project: string): Promise<void> => collectRuns.wake(project);
  const incarnation = (): Promise<string> => databaseIncarnation(data);
  const search = createSearch({ sql: data, qdrant, embedderOf: embedderAmong(embeddings) });
  const [questionSets, pins] = [createQuestionSetStore(data), createPinStore({ data, ops })];

  async function startRefresh(project: string): Promise<void> {
    await waveRuns.refresh({
      ...{ wave_id: randomUUID(), project, actor: 'holdfast', trigger: 'schedule', request: plainRefresh },
    });
  }

  return {
    main: {
      ...createWaveRowActivities({
        ...{ waves, items, projects, generations, incarnation, startRefresh },
        events: createEventStore(ops),
        wakeCollecting,
      }),
      ...createCollectActivities({
        ...{ incarnation, pins, isClosed: createRunStatus(client) },
        garbage: createGarbage({ sql: data, ops, qdrant, pins }),
      }),
    },
    box: {
      ...createEvaluationActivities({
        ...{ sql: data, qdrant, embeddings, search, projects, questionSets, pins },
        evaluations: createEvaluationStore(ops),
      }),
      ...createWaveActivities({
        ...{
          projects,
          generations,
          items,
          waves,
          sources,
          embeddings,
          vectors,
          writer,
          holdsLock,
          questionSets,
          search,
        },
        wakeCollecting,
        diff: createWaveDiff(data),
        collectionsEnding: () => collectionsEnding(data),
        ensureCollection: (name, identity) =>
          ensureCollection(qdrant, name, embeddings.identity === null ? null : dimensionsOf(identity)),
        writeBatch: createWriteBatch({
          ...{ items, embeddings, vectors, writer, holdsLock },
          contents: sources.contents,
          parsers: pool,
        }),
        proof: createProof({ sql: data, qdrant }),
      }),
    },
    async close(): Promise<void> {
      pool.close();
      await embeddings.close();
    },
  };
}
