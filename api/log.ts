import type { RequestHandler } from 'express';
import { pino, type DestinationStream, type Logger } from 'pino';
import { localsOf } from './locals.ts';
import { redactText } from './redact.ts';

export type { Logger } from 'pino';

/** JSON lines. Headers and bodies are never given to it; every line loses tokens and URL credentials all the same. */
export function createLogger(level: string, out: DestinationStream): Logger {
  const redacted: DestinationStream = { write: (line) => out.write(redactText(line)) };
  return pino(
    { level, base: { part: 'api' }, timestamp: pino.stdTimeFunctions.isoTime, serializers: { err: describe } },
    redacted,
  );
}

/** One line a request. Without the query, where clients put secrets. */
export function logRequests(log: Logger): RequestHandler {
  return (request, response, next) => {
    const from = performance.now();
    response.on('close', () => {
      const { request_id, action, caller } = localsOf(response);
      log.info(
        {
          request_id,
          method: request.method,
          path: request.path,
          action,
          status: response.statusCode,
          ms: Math.round(performance.now() - from),
          actor: caller?.actor,
          token_id: caller?.id,
          ...(response.writableFinished ? {} : { aborted: true }),
        },
        'request',
      );
    });
    next();
  };
}

/** Not pino's own: a Postgres error carries the row that it refused, and a row may hold a secret. */
function describe(error: unknown): object {
  if (!(error instanceof Error)) return { message: String(error) };
  const { name, message, stack } = error;
  const code = (error as { code?: unknown }).code;
  return { name, message, stack, ...(code === undefined ? {} : { code }) };
}
