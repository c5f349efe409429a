import express, { type Express } from 'express';
import type { Box } from '../adapters/box.ts';
import type { ServiceLog } from '../adapters/logs/service-log.ts';
import type { AllowedRoots } from '../adapters/files/allowed-roots.ts';
import type { Approvers } from '../adapters/postgres/approvers.ts';
import type { DeployStore, StoredDeploy } from '../adapters/postgres/deploys.ts';
import type { EvaluationStore } from '../adapters/postgres/evaluations.ts';
import type { BackupRunStore, StoredBackupRun } from '../adapters/postgres/backup-runs.ts';
import type { EventStore } from '../adapters/postgres/events.ts';
import type { ExportStore } from '../adapters/postgres/exports.ts';
import type { IdempotencyStore } from '../adapters/postgres/idempotency.ts';
import type { ImportStore } from '../adapters/postgres/imports.ts';
import type { InstanceStore } from '../adapters/postgres/instances.ts';
import type { LockStore } from '../adapters/postgres/locks.ts';
import type { Outbox } from '../adapters/postgres/outbox.ts';
import type { OverrideStore } from '../adapters/postgres/overrides.ts';
import type { ProjectStore } from '../adapters/postgres/projects.ts';
import type { QuestionSetStore } from '../adapters/postgres/question-sets.ts';
import type { RecoveryPointStore } from '../adapters/postgres/recovery-points.ts';
import type { RestoreStore, StoredRestore } from '../adapters/postgres/restores.ts';
import type { RestoreStarts } from '../adapters/temporal/restores.ts';
import type { RegistrationStore } from '../adapters/postgres/registrations.ts';
import type { ScheduleStore } from '../adapters/postgres/schedules.ts';
import type { UploadStore } from '../adapters/postgres/uploads.ts';
import type { ContentStore } from '../adapters/staging/content-store.ts';
import type { ServiceStore } from '../adapters/postgres/services.ts';
import type { TokenStore } from '../adapters/postgres/tokens.ts';
import type { BackupStarts } from '../adapters/temporal/backups.ts';
import type { CollectRuns } from '../adapters/temporal/collect.ts';
import type { DeployRuns } from '../adapters/temporal/deploys.ts';
import type { SearchFunction } from '../adapters/search/search.ts';
import type { DrillStore } from '../adapters/postgres/drills.ts';
import type { ReadRecoveryState } from '../adapters/postgres/recovery-state.ts';
import type { DrillStarts } from '../adapters/temporal/drills.ts';
import type { Memories } from '../adapters/memories/memories.ts';
import type { SearchMemories } from '../adapters/memories/search.ts';
import type { EvaluationRuns } from '../adapters/temporal/evaluations.ts';
import type { PipelineSchedules } from '../adapters/temporal/pipeline-schedules.ts';
import type { WaveRuns } from '../adapters/temporal/waves.ts';
import type { GenerationStore } from '../adapters/postgres/generations.ts';
import type { WaveItemStore } from '../adapters/postgres/wave-items.ts';
import type { WaveStore } from '../adapters/postgres/waves.ts';
import type { Health } from '../domain/health.ts';
import { createAuthenticate } from './authenticate.ts';
import { createDocs } from './docs.ts';
import { answerHeaders, hostGuard, requestIds } from './guard.ts';
import { createAnswerOnce } from './idempotency.ts';
import { limitFailedLogins, limitRequests, type Limits } from './limits.ts';
import { logRequests, type Logger } from './log.ts';
import { createMaintenance } from './maintenance.ts';
import { createMetrics, type MetricsDeps } from './metrics.ts';
import { createOpenApi } from './openapi.ts';
import { redactingReplacer } from './redact.ts';
import { createRoutes } from './route.ts';
import { backupKeyRoutes, type BackupKeyRouteDeps } from './routes/backup-key.ts';
import { backupRoutes, showBackupRun } from './routes/backup.ts';
import { offsiteRoutes, type OffsiteRouteDeps } from './routes/offsite.ts';
import { deployRoutes, showDeploy } from './routes/deploy.ts';
import { evaluationRoutes } from './routes/evaluation.ts';
import { eventRoutes } from './routes/event.ts';
import { healthRoutes } from './routes/health.ts';
import { drillRoutes } from './routes/drill.ts';
import { logRoutes } from './routes/log.ts';
import { memoryRoutes } from './routes/memory.ts';
import { mcpRoutes } from './routes/mcp.ts';
import { restoreRoutes, showRestore } from './routes/restore.ts';
import { overrideRoutes } from './routes/override.ts';
import { policyRoutes } from './routes/policy.ts';
import { projectRoutes } from './routes/project.ts';
import { proposalRoutes } from './routes/proposal.ts';
import { questionSetRoutes } from './routes/question-set.ts';
import { scheduleRoutes } from './routes/schedule.ts';
import { searchRoutes } from './routes/search.ts';
import { serviceHealthRoutes } from './routes/service-health.ts';
import { serviceRoutes } from './routes/service.ts';
import { sourceRoutes, type SourceRouteDeps } from './routes/source.ts';
import { tokenRoutes } from './routes/token.ts';
import { transferRoutes } from './routes/transfer.ts';
import { showWave, waveRoutes, withProgress, type ShownWave } from './routes/wave.ts';
import { generationRoutes } from './routes/generation.ts';
import { webhookRoutes } from './routes/webhook.ts';
import { createProjectScope } from './project-scope.ts';
import type { Runs } from './runs.ts';
import { answerProblems, noSuchPath } from './send.ts';
import { createMisplacedSources } from './source-paths.ts';
import { createStreams, type Streams } from './streams.ts';

export interface AppDeps {
  readonly services: ServiceStore;
  readonly deploys: DeployStore;
  readonly events: EventStore;
  readonly tokens: TokenStore;
  readonly idempotency: IdempotencyStore;
  readonly countOutcomes: MetricsDeps['countOutcomes'];
  readonly overrides: OverrideStore;
  readonly instances: InstanceStore;
  readonly locks: Pick<LockStore, 'exclusiveHolder'>;
  readonly restores: RestoreStore;
  readonly restoreStarts: RestoreStarts;
  readonly drivers: Box['drivers'];
  readonly serviceLog: ServiceLog;
  readonly deployRuns: DeployRuns;
  readonly waves: WaveStore;
  readonly items: WaveItemStore;
  readonly generations: GenerationStore;
  readonly waveRuns: WaveRuns;
  readonly webhookKey: () => Promise<string>;
  readonly collectRuns: CollectRuns;
  readonly projects: ProjectStore;
  readonly registrations: RegistrationStore;
  readonly questionSets: QuestionSetStore;
  readonly approvers: Approvers;
  readonly outbox: Outbox;
  readonly exports: ExportStore;
  readonly imports: ImportStore;
  readonly allowedRoots: AllowedRoots;
  readonly uploads: UploadStore;
  readonly contents: ContentStore;
  readonly sourceStatus: SourceRouteDeps['sourceStatus'];
  readonly search: SearchFunction;
  readonly drills: DrillStore;
  readonly drillStarts: DrillStarts;
  readonly recoveryState: ReadRecoveryState;
  readonly memories: Memories;
  readonly searchMemories: SearchMemories;
  readonly backupRuns: BackupRunStore;
  readonly backupKeys: BackupKeyRouteDeps['backupKeys'];
  readonly offsite: OffsiteRouteDeps['offsite'];
  readonly offsiteRuns: OffsiteRouteDeps['offsiteRuns'];
  readonly openTarget: OffsiteRouteDeps['openTarget'];
  readonly recoveryPoints: RecoveryPointStore;
  readonly backupStarts: BackupStarts;
  readonly schedules: ScheduleStore;
  readonly pipelineSchedules: Pick<PipelineSchedules, 'standing' | 'resume'>;
  readonly evaluations: EvaluationStore;
  readonly evaluationRuns: EvaluationRuns;
  readonly health: () => Promise<Health>;
  readonly runs: Runs;
  readonly log: Logger;
  readonly version: string;
  readonly box: string;
  /** The address that it will listen on. */
  readonly host: string;
  readonly limits?: Partial<Limits>;
  readonly streaming?: { readonly most?: number; readonly heartbeatMs?: number };
}

export interface App {
  readonly express: Express;
  readonly streams: {
    readonly deploys: Streams<StoredDeploy>;
    readonly waves: Streams<ShownWave>;
    readonly backups: Streams<StoredBackupRun>;
    readonly restores: Streams<StoredRestore>;
  };
}

export function createApp(deps: AppDeps): App {
  const app = express();
  app.disable('x-powered-by').disable('etag').set('json replacer', redactingReplacer);
  const metrics = createMetrics(deps);
  const streams = {
    deploys: createStreams({
      ...{ name: 'deploy', show: showDeploy(deps.runs), ...deps.streaming },
      find: (id) => deps.deploys.find(id),
    }),
    waves: createStreams({
      // How far a wave is takes a count over its items.
      ...{ name: 'wave', show: showWave(deps.runs), pollMs: 1_000, ...deps.streaming },
      find: (id) => withProgress(deps, id),
    }),
    restores: createStreams({
      ...{ name: 'restore', show: showRestore(deps.runs), ...deps.streaming },
      find: (id) => deps.restores.find(id),
    }),
    backups: createStreams({
      ...{ name: 'backup_run', show: showBackupRun(deps.runs), ...deps.streaming },
      find: (id) => deps.backupRuns.find(id),
    }),
  };

  app.use(requestIds, logRequests(deps.log), metrics.observe, answerHeaders, hostGuard(deps.host));
  app.use(createDocs(createOpenApi(deps.version)));
  app.use(actionRoutes(deps, metrics, streams));
  app.use(noSuchPath);
  app.use(answerProblems(deps.log));
  return { express: app, streams };
}

function actionRoutes(deps: AppDeps, metrics: ReturnType<typeof createMetrics>, streams: App['streams']) {
  const { tokens, idempotency, deployRuns, limits } = deps;
  const { route, finish, ...fronts } = createRoutes({
    authenticate: createAuthenticate(tokens, limitFailedLogins(limits?.failedLoginsPerMinute ?? 30)),
    limit: limitRequests(limits?.requestsPerMinute ?? 1_200),
    answerOnce: createAnswerOnce(idempotency),
    demandScope: createProjectScope(deps),
    demandOpen: createMaintenance(deps.locks),
    timeoutMs: 15_000,
  });
  healthRoutes(route, { health: deps.health, metrics });
  serviceRoutes(route, { ...deps, stop: deployRuns.stop, tellWatch: deployRuns.tellWatch });
  serviceHealthRoutes(route, deps);
  logRoutes(route, deps);
  policyRoutes(route, deps);
  deployRoutes(route, { ...deps, start: deployRuns.start, streams: streams.deploys });
  overrideRoutes(route, { ...deps, override: deployRuns.override });
  const placed = { ...deps, misplacedSources: createMisplacedSources(deps.allowedRoots, deps.box) };
  // Before the projects: their paths are words where an id could stand.
  proposalRoutes(route, placed);
  projectRoutes(route, deps);
  questionSetRoutes(route, deps);
  transferRoutes(route, placed);
  waveRoutes(route, { ...deps, waveStreams: streams.waves });
  webhookRoutes(route, deps);
  generationRoutes(route, deps);
  sourceRoutes(route, deps);
  searchRoutes(route, deps);
  memoryRoutes(route, deps);
  drillRoutes(route, deps);
  evaluationRoutes(route, deps);
  restoreRoutes(route, { ...deps, restoreStreams: streams.restores });
  backupRoutes(route, { ...deps, backupStreams: streams.backups });
  backupKeyRoutes(route, deps);
  offsiteRoutes(route, deps);
  scheduleRoutes(route, deps);
  eventRoutes(route, deps);
  tokenRoutes(route, deps);
  return [mcpRoutes({ ...deps, ...fronts }), finish()];
}
