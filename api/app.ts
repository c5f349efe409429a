import express, { type Express } from 'express';
import type { Box } from '../adapters/box.ts';
import type { ServiceLog } from '../adapters/logs/service-log.ts';
import type { DeployStore } from '../adapters/postgres/deploys.ts';
import type { EventStore } from '../adapters/postgres/events.ts';
import type { IdempotencyStore } from '../adapters/postgres/idempotency.ts';
import type { InstanceStore } from '../adapters/postgres/instances.ts';
import type { OverrideStore } from '../adapters/postgres/overrides.ts';
import type { ServiceStore } from '../adapters/postgres/services.ts';
import type { TokenStore } from '../adapters/postgres/tokens.ts';
import type { DeployRuns } from '../adapters/temporal/deploys.ts';
import type { Health } from '../domain/health.ts';
import { createAuthenticate } from './authenticate.ts';
import { createDocs } from './docs.ts';
import { answerHeaders, hostGuard, requestIds } from './guard.ts';
import { createAnswerOnce } from './idempotency.ts';
import { limitFailedLogins, limitRequests, type Limits } from './limits.ts';
import { logRequests, type Logger } from './log.ts';
import { createMetrics, type MetricsDeps } from './metrics.ts';
import { createOpenApi } from './openapi.ts';
import { redactingReplacer } from './redact.ts';
import { createRoutes } from './route.ts';
import { deployRoutes, showDeploy } from './routes/deploy.ts';
import { eventRoutes } from './routes/event.ts';
import { healthRoutes } from './routes/health.ts';
import { logRoutes } from './routes/log.ts';
import { mcpRoutes } from './routes/mcp.ts';
import { overrideRoutes } from './routes/override.ts';
import { policyRoutes } from './routes/policy.ts';
import { serviceHealthRoutes } from './routes/service-health.ts';
import { serviceRoutes } from './routes/service.ts';
import { tokenRoutes } from './routes/token.ts';
import type { Runs } from './runs.ts';
import { answerProblems, noSuchPath } from './send.ts';
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
  readonly drivers: Box['drivers'];
  readonly serviceLog: ServiceLog;
  readonly deployRuns: DeployRuns;
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
  readonly streams: Streams;
}

export function createApp(deps: AppDeps): App {
  const app = express();
  app.disable('x-powered-by').disable('etag').set('json replacer', redactingReplacer);
  const metrics = createMetrics(deps);
  const streams = createStreams({
    find: (id) => deps.deploys.find(id),
    show: showDeploy(deps.runs),
    ...deps.streaming,
  });

  app.use(requestIds, logRequests(deps.log), metrics.observe, answerHeaders, hostGuard(deps.host));
  app.use(createDocs(createOpenApi(deps.version)));
  app.use(actionRoutes(deps, metrics, streams));
  app.use(noSuchPath);
  app.use(answerProblems(deps.log));
  return { express: app, streams };
}

function actionRoutes(deps: AppDeps, metrics: ReturnType<typeof createMetrics>, streams: Streams) {
  const { tokens, idempotency, deployRuns, limits } = deps;
  const { route, finish, ...fronts } = createRoutes({
    authenticate: createAuthenticate(tokens, limitFailedLogins(limits?.failedLoginsPerMinute ?? 30)),
    limit: limitRequests(limits?.requestsPerMinute ?? 1_200),
    answerOnce: createAnswerOnce(idempotency),
    timeoutMs: 15_000,
  });
  healthRoutes(route, { health: deps.health, metrics });
  serviceRoutes(route, { ...deps, stop: deployRuns.stop, tellWatch: deployRuns.tellWatch });
  serviceHealthRoutes(route, deps);
  logRoutes(route, deps);
  policyRoutes(route, deps);
  deployRoutes(route, { ...deps, start: deployRuns.start, streams });
  overrideRoutes(route, { ...deps, override: deployRuns.override });
  eventRoutes(route, deps);
  tokenRoutes(route, deps);
  return [mcpRoutes({ ...deps, ...fronts }), finish()];
}
