import type { Health } from '../../domain/health.ts';
import type { Metrics } from '../metrics.ts';
import type { Route } from '../route.ts';

export interface HealthRouteDeps {
  readonly health: () => Promise<Health>;
  readonly metrics: Metrics;
}

export function healthRoutes(route: Route, { health, metrics }: HealthRouteDeps): void {
  route('health_show', async () => ({ status: 200, body: await health() }));

  route('metrics_show', async ({ http }) => {
    http?.response.set('content-type', metrics.contentType).send(await metrics.text());
    return null;
  });
}
