import { Router, type Request, type Response } from 'express';
import type { Caller } from '../adapters/postgres/tokens.ts';
import { actions, type Action, type ActionName } from '../domain/action.ts';
import type { Role } from '../domain/role.ts';
import { operations, type Operation } from './operations.ts';
import { bearerToken, demandRole, type Authenticate } from './authenticate.ts';
import { readBody } from './body.ts';
import { idempotencyKey } from './idempotency.ts';
import type { Limiter } from './limits.ts';
import { localsOf } from './locals.ts';
import {
  createPerform,
  within,
  type Answer,
  type Asked,
  type Handler,
  type Http,
  type Perform,
  type PerformDeps,
} from './perform.ts';
import { ApiProblem } from './problem.ts';
import { sendAnswer } from './send.ts';

export type Route = <N extends ActionName>(name: N, handler: Handler<N>) => void;

/**
 * An action in-process, just as by its route: role, validation, idempotency, handler. Throws what the route answers as a
 * problem; a problem that was recorded under the key is an answer.
 */
export type Invoke = (name: ActionName, asked: Asked) => Promise<Answer>;

/** Lets a request over HTTP in: token, rate, role. Role null: no token is needed. */
export type Admit = (role: Role | null, http: Http) => Promise<Caller>;

export interface RouteDeps extends PerformDeps {
  readonly authenticate: Authenticate;
  readonly limit: Limiter;
}

export interface Routes {
  readonly route: Route;
  readonly invoke: Invoke;
  readonly admit: Admit;
  /** To be called last: every other method of these paths is a 405. */
  readonly finish: () => Router;
}

const anonymous: Caller = { id: '', actor: 'anonymous', role: 'viewer', projects: null };

/** Routes for the table of actions: method, path and role come from there, schemas from the operations. */
export function createRoutes(deps: RouteDeps): Routes {
  const router = Router({ caseSensitive: true });
  const performers = new Map<string, Perform>();
  const admit = createAdmit(deps);
  return {
    admit,

    route(name, handler) {
      const action: Action = actions[name];
      const { bytes = false }: Operation = operations[name];
      const perform = createPerform(deps, name, handler);
      performers.set(name, perform);
      router[action.method](pathsOf(action), async (request, response) => {
        localsOf(response).action = name;
        const caller = await admit(action.role, { request, response });
        if (!bytes && (action.method === 'post' || action.method === 'put')) await readBody(request, response);
        const asked = askedOver(request, response, caller);
        const answer = await perform({ ...asked, key: bytes ? null : asked.key, http: { request, response } });
        if (answer !== null) sendAnswer(response, answer);
      });
    },

    async invoke(name, asked) {
      const { role, method, path }: Action = actions[name];
      if (role !== null) demandRole(asked.caller, role);
      const received = { ...asked, method: method.toUpperCase(), path: filledIn(path, asked), http: null };
      const answer = await performers.get(name)?.(received);
      if (answer == null) throw new Error(`${name} has no answer but over HTTP`);
      return answer;
    },

    finish() {
      const missing = Object.keys(actions).filter((name) => !performers.has(name));
      if (missing.length > 0) throw new Error(`actions without a route: ${missing.join(', ')}`);
      for (const [path, allow] of methodsByPath()) router.all(path, refuseMethod(allow));
      return router;
    },
  };
}

function createAdmit({ authenticate, limit, timeoutMs }: RouteDeps): Admit {
  return async (role, { request, response }) => {
    if (role === null) {
      await limit(request, response);
      return anonymous;
    }
    const caller = await within(timeoutMs, authenticate(request, response));
    localsOf(response).caller = caller;
    await limit(request, response);
    demandRole(caller, role);
    return caller;
  };
}

function askedOver(request: Request, response: Response, caller: Caller): Asked & { method: string; path: string } {
  const { method, path, params, query } = request;
  const body: unknown = request.body;
  const requestId = localsOf(response).request_id;
  const [bearer, key] = [bearerToken(request), idempotencyKey(request)];
  return { caller, bearer, requestId, method, path, params, query, body, key };
}

/** Whatever is not a method of these paths. */
export function refuseMethod(allow: string): (request: Request) => never {
  return ({ method }) => {
    throw new ApiProblem('method_not_allowed', `${method} is not for this path: ${allow}.`, {}, { allow });
  };
}

function filledIn(path: string, { params = {} }: Asked): string {
  return path.replace(/\{(\w+)\}/g, (_whole, name: string) => encodeURIComponent(String(params[name])));
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
