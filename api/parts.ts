import type { QdrantClient } from '@qdrant/js-client-rest';
import type { Box } from '../adapters/box.ts';
import type { Sql } from '../adapters/postgres/connect.ts';
import { createDeployStore } from '../adapters/postgres/deploys.ts';
import { createEventStore } from '../adapters/postgres/events.ts';
import { createIdempotencyStore } from '../adapters/postgres/idempotency.ts';
import { createInstanceStore } from '../adapters/postgres/instances.ts';
import { countOutcomes } from '../adapters/postgres/outcomes.ts';
import { createOverrideStore } from '../adapters/postgres/overrides.ts';
import { createServiceStore } from '../adapters/postgres/services.ts';
import { createTokenStore } from '../adapters/postgres/tokens.ts';
import type { Temporal } from '../adapters/temporal/connect.ts';
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
  readonly temporal: Temporal;
  readonly qdrant: QdrantClient;
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
  const { sql, keys, temporal, namespace, uiUrl, version, thisBox } = behind;
  return {
    services: createServiceStore(sql),
    deploys: createDeployStore(sql),
    events: createEventStore(sql),
    overrides: createOverrideStore(sql),
    instances: createInstanceStore(sql),
    drivers: thisBox.drivers,
    serviceLog: thisBox.log,
    tokens: createTokenStore(sql),
    idempotency: createIdempotencyStore(keys),
    countOutcomes: () => countOutcomes(sql),
    deployRuns: bounded(temporal),
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
