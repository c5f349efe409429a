import type { Request, Response } from 'express';
import type { Caller, TokenStore } from '../adapters/postgres/tokens.ts';
import { allows, type Role } from '../domain/role.ts';
import type { Limiter } from './limits.ts';
import { ApiProblem } from './problem.ts';

const challenge = { 'www-authenticate': 'Bearer realm="holdfast"' };
const badToken = { 'www-authenticate': 'Bearer realm="holdfast", error="invalid_token"' };

export type Authenticate = (request: Request, response: Response) => Promise<Caller>;

/** Who asks, by the bearer token; throws `unauthenticated`. */
export function createAuthenticate(tokens: Pick<TokenStore, 'authenticate'>, limitFailures: Limiter): Authenticate {
  return async (request, response) => {
    const token = bearerToken(request);
    const caller = token === null ? null : await tokens.authenticate(token);
    if (caller !== null) return caller;
    await limitFailures(request, response);
    throw token === null
      ? new ApiProblem('unauthenticated', 'Send `Authorization: Bearer <token>`.', {}, challenge)
      : new ApiProblem('unauthenticated', 'This token is unknown, expired or revoked.', {}, badToken);
  };
}

export function bearerToken(request: Request): string | null {
  return /^Bearer +(\S+)$/i.exec(request.get('authorization') ?? '')?.[1] ?? null;
}

export function demandRole(caller: Caller, needed: Role): void {
  if (allows(caller.role, needed)) return;
  throw new ApiProblem('forbidden', `This needs the role ${needed}; this token has the role ${caller.role}.`);
}
