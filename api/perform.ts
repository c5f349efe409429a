import type { Request, Response } from 'express';
import type postgres from 'postgres';
import type { z } from 'zod';
import type { Caller } from '../adapters/postgres/tokens.ts';
import type { ActionName } from '../domain/action.ts';
import type { AnswerOnce } from './idempotency.ts';
import type { DemandOpen } from './maintenance.ts';
import { demandWithin, type DemandScope } from './project-scope.ts';
import { operations, type Operation } from './operations.ts';
import { ApiProblem, invalid, unavailable } from './problem.ts';

export interface Answer {
  readonly status: number;
  readonly body?: object;
  readonly location?: string;
}

export interface Http {
  readonly request: Request;
  readonly response: Response;
}

/** An action that is asked for, whichever way, before it is understood. */
export interface Asked {
  readonly caller: Caller;
  readonly bearer: string | null;
  readonly requestId: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly query?: Readonly<Record<string, unknown>>;
  readonly body?: unknown;
  /** An idempotency key; only for a POST. */
  readonly key: string | null;
}

/** What an idempotency key stands for is the method, the path and the body. */
interface Received extends Asked {
  readonly method: string;
  readonly path: string;
  readonly http: Http | null;
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
  /** null: asked over MCP, where nothing but an answer can be given. */
  readonly http: Http | null;
}

/** null: the handler answered by itself, over HTTP. */
export type Handler<N extends ActionName> = (call: Call<N>) => Promise<Answer | null>;
export type Perform = (received: Received) => Promise<Answer | null>;

export interface PerformDeps {
  readonly answerOnce: AnswerOnce;
  readonly demandScope: DemandScope;
  /** Is this to be done now, or is a restore under way? */
  readonly demandOpen: DemandOpen;
  /** No request waits longer than this for what is behind the API. */
  readonly timeoutMs: number;
}

/** What every way to ask for an action has in common: validation, idempotency, the handler, a time limit. */
export function createPerform<N extends ActionName>(deps: PerformDeps, name: N, handler: Handler<N>): Perform {
  return async (received) => {
    const { caller, http } = received;
    demandWithin(name, caller);
    const parts = parse(operations[name], received);
    const call = { ...parts, caller, http } as unknown as Call<N>;
    const answer = deps
      .demandScope(name, caller, parts)
      .then(() => deps.demandOpen(name))
      .then(() => once(deps, received, (extra) => handler({ ...call, ...extra })));
    const { bytes = false }: Operation = operations[name];
    // How long bytes take is the sender's affair.
    return bytes ? answer : within(deps.timeoutMs, answer);
  };
}

function parse({ params, query, body }: Operation, asked: Asked): { params: unknown; query: unknown; body: unknown } {
  // Without a schema there is nothing to say: a misspelt or misplaced parameter is refused, not passed over.
  const unknown = query === undefined ? Object.keys(asked.query ?? {}) : [];
  if (unknown.length > 0) {
    const errors = unknown.map((path) => ({ path, message: 'unknown query parameter' }));
    throw new ApiProblem('invalid_request', `unknown query parameter: ${unknown.join(', ')}`, { errors });
  }
  return {
    params: parsed(params, asked.params ?? {}),
    query: parsed(query, asked.query ?? {}),
    body: parsed(body, asked.body ?? {}),
  };
}

function parsed(schema: z.ZodType | undefined, value: unknown): unknown {
  if (schema === undefined) return undefined;
  const result = schema.safeParse(value);
  if (!result.success) throw invalid(result.error);
  return result.data;
}

/** With a key: the answer that was recorded under it, or that of the effect, which is recorded. */
async function once(
  { answerOnce }: PerformDeps,
  received: Received,
  effect: (extra: Pick<Call<ActionName>, 'key' | 'tx'>) => Promise<Answer | null>,
): Promise<Answer | null> {
  const { key, bearer } = received;
  if (key === null || bearer === null) return effect({ key: null, tx: null });
  return answerOnce({ ...received, key, bearer }, async (tx) => {
    const answer = await effect({ key, tx });
    if (answer === null) throw new Error('an action with an idempotency key must return its answer');
    return answer;
  });
}

export async function within<T>(ms: number, work: Promise<T>): Promise<T> {
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
