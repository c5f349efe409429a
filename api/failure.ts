import { isGrpcServiceError } from '@temporalio/client';
import { KeyReused } from '../adapters/postgres/idempotency.ts';
import { ApiProblem, unavailable } from './problem.ts';

const connectionCodes = new Set([
  'CONNECT_TIMEOUT',
  'CONNECTION_CLOSED',
  'CONNECTION_DESTROYED',
  'CONNECTION_ENDED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EPIPE',
  'ETIMEDOUT',
]);
// Connection exceptions, too many connections, starting up or shutting down, a lock that was not got, no such database yet.
const sqlUnavailable = /^(08...|53300|57P0[123]|55P03|3D000)$/;
// CANCELLED, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNAVAILABLE.
const grpcUnavailable = new Set([1, 4, 8, 14]);

/** What any error means to the caller. What is not known here is `internal`, and its text stays in the log. */
export function problemOf(error: unknown): ApiProblem {
  if (error instanceof ApiProblem) return error;
  if (error instanceof KeyReused) {
    return new ApiProblem('idempotency_key_reused', 'Take a new Idempotency-Key for a new request.');
  }
  const code = property(error, 'code');
  if (isTemporalDown(error)) return unavailable('Temporal does not answer.');
  if (typeof code === 'string' && (connectionCodes.has(code) || sqlUnavailable.test(code))) {
    return unavailable('Postgres does not answer.');
  }
  // Class 22, data exception: text that Postgres cannot hold, such as a NUL character in a query parameter.
  if (typeof code === 'string' && /^22...$/.test(code)) {
    return new ApiProblem('invalid_request', 'A value holds characters that cannot be stored.');
  }
  return (
    requestProblem(error) ?? new ApiProblem('internal', 'The cause is in the log of the API, under this request id.')
  );
}

/** What Express and its body parser refuse. */
function requestProblem(error: unknown): ApiProblem | null {
  const status = property(error, 'status');
  if (property(error, 'type') === 'entity.parse.failed') {
    return new ApiProblem(
      'invalid_request',
      'The body is not well-formed JSON, or holds a NUL character or half a surrogate pair.',
    );
  }
  if (status === 413) return new ApiProblem('payload_too_large', 'At most 256 kB.');
  if (status === 415)
    return new ApiProblem('unsupported_media_type', 'Send UTF-8 JSON, not compressed in an unknown way.');
  if (typeof status === 'number' && status >= 400 && status < 500) {
    return new ApiProblem('invalid_request', 'The request could not be read.');
  }
  return null;
}

function isTemporalDown(error: unknown): boolean {
  const candidates = [error, property(error, 'cause')];
  return candidates.some((one) => isGrpcServiceError(one) && grpcUnavailable.has(one.code));
}

function property(error: unknown, name: string): unknown {
  return typeof error === 'object' && error !== null ? (error as Record<string, unknown>)[name] : undefined;
}
