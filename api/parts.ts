import { join } from 'node:path';
import type { QdrantClient } from '@qdrant/js-client-rest';
import { openSigningKey, trustKey } from '../adapters/backup/signing-key.ts';
import type { Box } from '../adapters/box.ts';
import { openTarget } from '../adapters/offsite/open-target.ts';
import { createOffsiteStore } from '../adapters/postgres/offsite.ts';
import { createOffsiteRuns, type OffsiteRuns } from '../adapters/temporal/offsite.ts';
import { createAllowedRoots } from '../adapters/files/allowed-roots.ts';
import type { Embeddings } from '../adapters/embeddings/embedder.ts';
import { createApprovers } from '../adapters/postgres/approvers.ts';
import { createBackupRunStore } from '../adapters/postgres/backup-runs.ts';
import type { Sql } from '../adapters/postgres/connect.ts';
import { createDeployStore } from '../adapters/postgres/deploys.ts';
import { createEvaluationStore } from '../adapters/postgres/evaluations.ts';
import { createEventStore } from '../adapters/postgres/events.ts';
import { createExportStore } from '../adapters/postgres/exports.ts';
import { createIdempotencyStore } from '../adapters/postgres/idempotency.ts';
import { createImportStore } from '../adapters/postgres/imports.ts';
import { createInstanceStore } from '../adapters/postgres/instances.ts';
import { createGenerationStore } from '../adapters/postgres/generations.ts';
import { createWaveItemStore } from '../adapters/postgres/wave-items.ts';
import { createWaveStore } from '../adapters/postgres/waves.ts';
import { createLockStore } from '../adapters/postgres/locks.ts';
import { createRestoreStore } from '../adapters/postgres/restores.ts';
import { createRestoreStarts, type RestoreStarts } from '../adapters/temporal/restores.ts';
import { createOutbox } from '../adapters/postgres/outbox.ts';
import { countOutcomes } from '../adapters/postgres/outcomes.ts';
import { createOverrideStore } from '../adapters/postgres/overrides.ts';
import { createProjectStore } from '../adapters/postgres/projects.ts';
import { createQuestionSetStore } from '../adapters/postgres/question-sets.ts';
import { createRecoveryPointStore } from '../adapters/postgres/recovery-points.ts';
import { createRegistrationStore } from '../adapters/postgres/registrations.ts';
import { readSourceStatus } from '../adapters/postgres/source-status.ts';
import { createUploadStore } from '../adapters/postgres/uploads.ts';
import { createContentStore } from '../adapters/staging/content-store.ts';
import { createScheduleStore } from '../adapters/postgres/schedules.ts';
import { createServiceStore } from '../adapters/postgres/services.ts';
import { createTokenStore } from '../adapters/postgres/tokens.ts';
import type { Temporal } from '../adapters/temporal/connect.ts';
import { createBackupStarts, type BackupStarts } from '../adapters/temporal/backups.ts';
import type { Environment } from '../adapters/process/inherited-env.ts';
import { createCollectRuns } from '../adapters/temporal/collect.ts';
import { createDrillStore } from '../adapters/postgres/drills.ts';
import { createRecoveryState } from '../adapters/postgres/recovery-state.ts';
import { createDrillStarts, type DrillStarts } from '../adapters/temporal/drills.ts';
import { createMemories } from '../adapters/memories/memories.ts';
import { createMemorySearch } from '../adapters/memories/search.ts';
import { createSearch, embedderAmong } from '../adapters/search/search.ts';
import { createEvaluationRuns, type EvaluationRuns } from '../adapters/temporal/evaluations.ts';
import { createPipelineSchedules, type PipelineSchedules } from '../adapters/temporal/pipeline-schedules.ts';
import { createWaveRuns, type WaveRuns } from '../adapters/temporal/waves.ts';
import { createDeployRuns, type DeployRuns } from '../adapters/temporal/deploys.ts';
import type { BuildInfo } from '../domain/health.ts';
import type { AppDeps } from './app.ts';
import { createHealth } from './health.ts';
import { createRuns } from './runs.ts';

export interface Behind {
  /** The operations database. */
  readonly sql: Sql;
  /** The same database by a small pool of its own, for idempotency keys. */
  readonly keys: Sql;
  /** The data database. */
  readonly data: Sql;
  /** The data folder of this box. */
  readonly home: string;
  /** What the secrets of webhooks are made of. */
  readonly webhookKey: () => Promise<string>;
  /** Where secrets of off-host targets may be, and where programs are. */
  readonly env?: Environment;
  /** The folders that sources may be read from. */
  readonly sourceRoots: readonly string[];
  readonly temporal: Temporal;
  readonly qdrant: QdrantClient;
  /** What questions are embedded with. */
  readonly embeddings: Embeddings;
  readonly namespace: string;
  readonly uiUrl: string | null;
  readonly build: BuildInfo;
  readonly version: string;
  /** What runs on this machine: only its services can be probed and their logs read here. */
  readonly thisBox: Pick<Box, 'drivers' | 'log'>;
}

type Parts = Omit<AppDeps, 'log' | 'box' | 'host' | 'limits' | 'streaming'>;

/** Everything that the application needs of what is behind it. */
export function createParts(behind: Behind): Parts {
  const { sql, keys, data, home, qdrant, embeddings, sourceRoots, temporal, namespace, uiUrl, version, thisBox } =
    behind;
  const events = createEventStore(sql);
  return {
    services: createServiceStore(sql),
    deploys: createDeployStore(sql),
    events,
    overrides: createOverrideStore(sql),
    instances: createInstanceStore(sql),
    drivers: thisBox.drivers,
    serviceLog: thisBox.log,
    tokens: createTokenStore(sql),
    idempotency: createIdempotencyStore(keys),
    countOutcomes: () => countOutcomes(sql),
    deployRuns: bounded(temporal),
    waves: createWaveStore(sql),
    items: createWaveItemStore(data),
    generations: createGenerationStore(data),
    waveRuns: boundedWaves(temporal),
    webhookKey: behind.webhookKey,
    collectRuns: createCollectRuns(temporal.client),
    backupRuns: createBackupRunStore(sql),
    backupKeys: {
      own: () => openSigningKey(join(home, 'secrets')),
      trust: (pem) => trustKey(join(home, 'secrets'), pem),
    },
    offsite: createOffsiteStore(sql),
    offsiteRuns: boundedOffsite(temporal),
    openTarget: (place, signal) => openTarget(place, { env: behind.env ?? {}, scratch: join(home, 'offsite'), signal }),
    restores: createRestoreStore(sql),
    restoreStarts: boundedRestores(temporal),
    locks: createLockStore(sql),
    recoveryPoints: createRecoveryPointStore(sql),
    backupStarts: boundedBackups(temporal),
    schedules: createScheduleStore(sql),
    pipelineSchedules: boundedSchedules(temporal),
    evaluations: createEvaluationStore(sql),
    evaluationRuns: boundedEvaluations(temporal),
    search: createSearch({ sql: data, qdrant, embedderOf: embedderAmong(embeddings) }),
    drills: createDrillStore(sql),
    drillStarts: boundedDrills(temporal),
    recoveryState: createRecoveryState(sql),
    memories: createMemories({ data, ops: sql, qdrant, embeddings }),
    searchMemories: createMemorySearch({ data, qdrant, embeddings }),
    projects: createProjectStore(data),
    registrations: createRegistrationStore(data),
    questionSets: createQuestionSetStore(data),
    approvers: createApprovers(sql),
    outbox: createOutbox(data, events),
    exports: createExportStore(data),
    imports: createImportStore(data),
    allowedRoots: createAllowedRoots(sourceRoots),
    uploads: createUploadStore(data),
    contents: createContentStore(home),
    sourceStatus: (project, registered) => readSourceStatus(data, project, registered),
    health: createHealth(behind),
    runs: createRuns(uiUrl, namespace),
    version,
  };
}

/** The client retries for many seconds; a person who waits for an answer is told sooner that Temporal is down. */
function bounded({ client }: Temporal): DeployRuns {
  const runs = createDeployRuns(client);
  const soon = () => Date.now() + 5_000;
  return {
    start: (input) => client.withDeadline(soon(), () => runs.start(input)),
    stop: (input) => client.withDeadline(soon(), () => runs.stop(input)),
    override: (run, message) => client.withDeadline(soon(), () => runs.override(run, message)),
    wakeWatch: (input) => client.withDeadline(soon(), () => runs.wakeWatch(input)),
    tellWatch: (service) => client.withDeadline(soon(), () => runs.tellWatch(service)),
  };
}

function boundedRestores({ client }: Temporal): RestoreStarts {
  const starts = createRestoreStarts(client);
  const soon = () => Date.now() + 5_000;
  return {
    start: (input) => client.withDeadline(soon(), () => starts.start(input)),
    command: (message) => client.withDeadline(soon(), () => starts.command(message)),
  };
}

function boundedDrills({ client }: Temporal): DrillStarts {
  const starts = createDrillStarts(client);
  return { start: (input) => client.withDeadline(Date.now() + 5_000, () => starts.start(input)) };
}

function boundedEvaluations({ client }: Temporal): EvaluationRuns {
  const runs = createEvaluationRuns(client);
  return { start: (input) => client.withDeadline(Date.now() + 5_000, () => runs.start(input)) };
}

function boundedOffsite({ client }: Temporal): OffsiteRuns {
  const runs = createOffsiteRuns(client);
  const soon = () => Date.now() + 5_000;
  return {
    push: (input) => client.withDeadline(soon(), () => runs.push(input)),
    pull: (input) => client.withDeadline(soon(), () => runs.pull(input)),
  };
}

function boundedBackups({ client }: Temporal): BackupStarts {
  const starts = createBackupStarts(client);
  const soon = () => Date.now() + 5_000;
  return {
    backup: (input) => client.withDeadline(soon(), () => starts.backup(input)),
    validate: (input) => client.withDeadline(soon(), () => starts.validate(input)),
    prune: (input) => client.withDeadline(soon(), () => starts.prune(input)),
  };
}

function boundedSchedules({ client }: Temporal): Pick<PipelineSchedules, 'standing' | 'resume'> {
  const schedules = createPipelineSchedules(client);
  const soon = () => Date.now() + 5_000;
  return {
    standing: (name) => client.withDeadline(soon(), () => schedules.standing(name)),
    resume: (name) => client.withDeadline(soon(), () => schedules.resume(name)),
  };
}

function boundedWaves({ client }: Temporal): WaveRuns {
  const runs = createWaveRuns(client);
  const soon = () => Date.now() + 5_000;
  return {
    start: (input) => client.withDeadline(soon(), () => runs.start(input)),
    refresh: (input) => client.withDeadline(soon(), () => runs.refresh(input)),
    command: (run, message) => client.withDeadline(soon(), () => runs.command(run, message)),
  };
}
