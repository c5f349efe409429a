import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { RequestHandler } from 'express';
import type { Outcome } from '../domain/deploy/words.ts';
import type { Health } from '../domain/health.ts';
import type { ReadRecoveryState } from '../adapters/postgres/recovery-state.ts';
import { localsOf } from './locals.ts';
import { reportRecovery } from './recovery-metrics.ts';

export interface MetricsDeps {
  readonly health: () => Promise<Health>;
  readonly recoveryState: ReadRecoveryState;
  readonly countOutcomes: () => Promise<readonly { outcome: Outcome; deploys: number }[]>;
}

export type Metrics = ReturnType<typeof createMetrics>;

export function createMetrics(deps: MetricsDeps) {
  const registers = [new Registry()];
  const [register] = registers as [Registry];
  collectDefaultMetrics({ register });
  const duration = new Histogram({
    name: 'holdfast_http_request_duration_seconds',
    help: 'Time from a request to its answer, by action.',
    labelNames: ['action', 'status'],
    buckets: [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15],
    registers,
  });
  reportState(deps, registers);
  reportOutcomes(deps, registers);
  reportRecovery(deps.recoveryState, registers);
  return { observe: observeWith(duration), contentType: register.contentType, text: () => register.metrics() };
}

function observeWith(duration: Histogram): RequestHandler {
  return (_request, response, next) => {
    const from = performance.now();
    response.on('finish', () => {
      const action = localsOf(response).action ?? 'none';
      const streamed = response.get('content-type')?.startsWith('text/event-stream') === true;
      // A stream lasts as long as its deploy: that is not how long an answer took.
      if (!streamed) duration.observe({ action, status: response.statusCode }, (performance.now() - from) / 1_000);
    });
    next();
  };
}

function reportState({ health }: MetricsDeps, registers: Registry[]): void {
  new Gauge({
    name: 'holdfast_build_info',
    help: 'What is running: always 1.',
    labelNames: ['version', 'build_sha', 'build_branch'],
    registers,
    async collect() {
      const { versions, build_sha, build_branch } = await health();
      this.set({ version: versions['holdfast'] ?? 'unknown', build_sha, build_branch }, 1);
    },
  });
  new Gauge({
    name: 'holdfast_server_up',
    help: '1 when this part answers.',
    labelNames: ['server'],
    registers,
    async collect() {
      const { servers } = await health();
      for (const [server, { state }] of Object.entries(servers)) this.set({ server }, state === 'ok' ? 1 : 0);
    },
  });
}

/** Counted from the rows, so that a restart of the API forgets nothing. */
function reportOutcomes({ countOutcomes }: MetricsDeps, registers: Registry[]): void {
  new Counter({
    name: 'holdfast_deploys_total',
    help: 'Closed deploys by outcome.',
    labelNames: ['outcome'],
    registers,
    async collect() {
      const counts = await countOutcomes();
      this.reset();
      for (const { outcome, deploys } of counts) this.inc({ outcome }, deploys);
    },
  });
}
