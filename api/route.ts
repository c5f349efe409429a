import { Router, type Request, type Response } from 'express';
import type postgres from 'postgres';
import type { z } from 'zod';
import type { Caller } from '../adapters/postgres/tokens.ts';
import { actions, type Action, type ActionName } from '../domain/action.ts';
import { bearerToken, demandRole, type Authenticate } from './authenticate.ts';
import { readBody } from './body.ts';
import { idempotencyKey, type AnswerOnce } from './idempotency.ts';
import type { Limiter } from './limits.ts';
import { localsOf } from './locals.ts';
import { operations, type Operation } from './operations.ts';
import { ApiProblem, invalid, unavailable } from './problem.ts';
import { sendAnswer } from './send.ts';

export interface Answer {
  readonly status: number;
  readonly body?: object;
  readonly location?: string;
}

type Parsed<N extends ActionName, Part extends string> = Part extends keyof (typeof operations)[N]
  ? (typeof operations)[N][Part] extends z.ZodType
    ? z.output<(typeof operations)[N][Part]>
    : undefined
  : undefined;

/** A request that was let in and understood. */
interface Call<N extends ActionName> {
  readonly params: Parsed<N, 'params'>;
  readonly query: Parsed<N, 'query'>;
  readonly body: Parsed<N, 'body'>;
  /** For actions that need no token: an anonymous viewer. */
  readonly caller: Caller;
  readonly key: string | null;
  /** With an idempotency key: the transaction that also records the answer. */
  readonly tx: postgres.ISql | null;
  readonly request: Request;
  readonly response: Response;
}

/** null: the handler answered by itself. */
type Handler<N extends ActionName> = (call: Call<N>) => Promise<Answer | null>;
export type Route = <N extends ActionName>(name: N, handler: Handler<N>) => void;

export interface RouteDeps {
  readonly authenticate: Authenticate;
  readonly limit: Limiter;
  readonly answerOnce: AnswerOnce;
  /** No request waits longer than this for what is behind the API. */
  readonly timeoutMs: number;
}

const anonymous: Caller = { id: '', actor: 'anonymous', role: 'viewer' };

/** Routes for the table of actions: method, path and role come from there, schemas from the operations. */
export function createRoutes(deps: RouteDeps): { route: Route; finish: () => Router } {
  const router = Router({ caseSensitive: true });
  const routed = new Set<string>();
  return {
    route(name, handler) {
      const action: Action = actions[name];
      routed.add(name);
      router[action.method](pathsOf(action), async (request, response) => {
        localsOf(response).action = name;
        const caller = await admit(action, deps, request, response);
        if (action.method === 'post' || action.method === 'put') await readBody(request, response);
        const call = { ...parse(operations[name], request), caller, request, response } as unknown as Call<typeof name>;
        const answer = await within(deps.timeoutMs, perform(deps, call, handler));
        if (answer !== null) sendAnswer(response, answer);
      });
    },

    /** To be called last: every other method of these paths is a 405. */
    finish() {
      const missing = Object.keys(actions).filter((name) => !routed.has(name));
      if (missing.length > 0) throw new Error(`actions without a route: ${missing.join(', ')}`);
      for (const [path, allow] of methodsByPath()) {
        router.all(path, (request) => {
          throw new ApiProblem(
            'method_not_allowed',
            `${request.method} is not for this path: ${allow}.`,
            {},
            { allow },
          );
        });
      }
      return router;
    },
  };
}

async function admit(action: Action, deps: RouteDeps, request: Request, response: Response): Promise<Caller> {
  if (action.role === null) {
    await deps.limit(request, response);
    return anonymous;
  }
  const caller = await within(deps.timeoutMs, deps.authenticate(request, response));
  localsOf(response).caller = caller;
  await deps.limit(request, response);
  demandRole(caller, action.role);
  return caller;
}

function parse(
  { params, query, body }: Operation,
  request: Request,
): { params: unknown; query: unknown; body: unknown } {
  // Without a schema there is nothing to say: a misspelt or misplaced parameter is refused, not passed over.
  const unknown = query === undefined ? Object.keys(request.query) : [];
  if (unknown.length > 0) {
    const errors = unknown.map((path) => ({ path, message: 'unknown query parameter' }));
    throw new ApiProblem('invalid_request', `unknown query parameter: ${unknown.join(', ')}`, { errors });
  }
  return {
    params: parsed(params, request.params),
    query: parsed(query, request.query),
    body: parsed(body, request.body ?? {}),
  };
}

function parsed(schema: z.ZodType | undefined, value: unknown): unknown {
  if (schema === undefined) return undefined;
  const result = schema.safeParse(value);
  if (!result.success) throw invalid(result.error);
  return result.data;
}

async function perform<N extends ActionName>(
  { answerOnce }: RouteDeps,
  call: Call<N>,
  handler: Handler<N>,
): Promise<Answer | null> {
  const { request, response, caller } = call;
  const key = idempotencyKey(request);
  const bearer = bearerToken(request);
  if (key === null || bearer === null) return handler({ ...call, key: null, tx: null });
  const requestId = localsOf(response).request_id;
  return answerOnce({ caller, bearer, key, request, requestId }, async (tx) => {
    const answer = await handler({ ...call, key, tx });
    if (answer === null) throw new Error('an action with an idempotency key must return its answer');
    return answer;
  });
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(unavailable('A part that this needs took too long.')), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What stands at the root also stands under /v1. */
function pathsOf({ path }: Action): string[] {
  const express = path.replace(/\{(\w+)\}/g, ':$1');
  return express.startsWith('/v1/') ? [express] : [express, `/v1${express}`];
}

function methodsByPath(): Map<string, string> {
  const methods = new Map<string, string>();
  for (const action of Object.values<Action>(actions)) {
    for (const path of pathsOf(action)) {
      const named = action.method === 'get' ? 'GET, HEAD' : action.method.toUpperCase();
      const before = methods.get(path);
      methods.set(path, before === undefined ? named : `${before}, ${named}`);
    }
  }
  return methods;
}
