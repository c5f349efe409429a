import { randomUUID } from 'node:crypto';
import type { RequestHandler } from 'express';
import helmet from 'helmet';
import { localsOf } from './locals.ts';
import { ApiProblem } from './problem.ts';

/** Answers are data: a browser that is led to one may do nothing with it. */
export const answerHeaders: RequestHandler[] = [
  helmet({
    contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } },
    strictTransportSecurity: false, // plain HTTP on loopback; a proxy that speaks TLS sets its own
  }),
  (_request, response, next) => {
    response.set('cache-control', 'no-store');
    next();
  },
];

/** The caller's id when it is a plain one, so that logs of both sides join; else one of ours. */
export const requestIds: RequestHandler = (request, response, next) => {
  const given = request.get('x-request-id');
  const id = given !== undefined && /^[A-Za-z0-9._-]{1,64}$/.test(given) ? given : randomUUID();
  localsOf(response).request_id = id;
  response.set('x-request-id', id);
  next();
};

const loopbackNames = new Set(['localhost', '127.0.0.1', '[::1]']);

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

/**
 * Against DNS rebinding: a page on a foreign name that resolves to loopback sends that name as Host. Only needed when
 * bound to loopback; otherwise the names under which this machine is known are not ours to guess.
 */
export function hostGuard(boundHost: string): RequestHandler {
  const expected = new Set([...loopbackNames, boundHost.includes(':') ? `[${boundHost}]` : boundHost.toLowerCase()]);
  return (request, _response, next) => {
    const host = (request.get('host') ?? '').toLowerCase().replace(/:\d+$/, '');
    const foreign = isLoopback(boundHost) && !expected.has(host);
    next(foreign ? new ApiProblem('invalid_request', 'The Host header is not the name of this machine.') : undefined);
  };
}
