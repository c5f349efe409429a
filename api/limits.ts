import type { Request, RequestHandler, Response } from 'express';
import { ipKeyGenerator, rateLimit } from 'express-rate-limit';
import { localsOf } from './locals.ts';
import { asStep } from './middleware.ts';
import { ApiProblem } from './problem.ts';

export interface Limits {
  readonly requestsPerMinute: number;
  readonly failedLoginsPerMinute: number;
}

export type Limiter = (request: Request, response: Response) => Promise<void>;

/** Per token; per address for what needs none. */
export function limitRequests(limit: number): Limiter {
  return asStep(limiter(limit, (request, response) => localsOf(response).caller?.id ?? address(request)));
}

/**
 * Per address, and asked only once a login has failed: somebody who guesses tokens cannot lock out those who share the
 * address and hold a good one.
 */
export function limitFailedLogins(limit: number): Limiter {
  return asStep(limiter(limit, (request) => address(request)));
}

function limiter(limit: number, keyGenerator: (request: Request, response: Response) => string): RequestHandler {
  return rateLimit({
    windowMs: 60_000,
    limit,
    keyGenerator,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    handler: (_request, response, next) => {
      const seconds = String(response.get('retry-after') ?? 60);
      next(new ApiProblem('rate_limited', `Try again in ${seconds} s.`, {}, { 'retry-after': seconds }));
    },
  });
}

function address(request: Request): string {
  return `address ${ipKeyGenerator(request.ip ?? '')}`;
}
