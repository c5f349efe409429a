import { BadCursor } from '../../adapters/logs/cursor.ts';
import type { ServiceLog } from '../../adapters/logs/service-log.ts';
import type { ServiceStore } from '../../adapters/postgres/services.ts';
import { ApiProblem, unavailable } from '../problem.ts';
import type { Route } from '../route.ts';
import { known } from './service.ts';

export interface LogRouteDeps {
  readonly services: ServiceStore;
  readonly serviceLog: ServiceLog;
  /** Whose logs can be read here. */
  readonly box: string;
}

export function logRoutes(route: Route, { services, serviceLog, box }: LogRouteDeps): void {
  route('log_read', async ({ params, query: { cursor, limit } }) => {
    const { name, spec } = await known(services, params.name);
    if (spec.box !== box) {
      throw unavailable(`${name} runs on the box ${spec.box}, and so its log is there; this is the box ${box}.`);
    }
    return { status: 200, body: await serviceLog.read(name, cursor ?? null, limit).catch(refuseCursor) };
  });
}

function refuseCursor(error: unknown): never {
  if (!(error instanceof BadCursor)) throw error;
  const errors = [{ path: 'cursor', message: 'not a cursor of this log' }];
  const detail = 'cursor: take it from an answer, as it is; without one the answer is the last lines.';
  throw new ApiProblem('invalid_request', detail, { errors });
}
