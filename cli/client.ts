import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { z } from 'zod';
import { problemSchema } from '../domain/problem.ts';
import type { Config } from '../infra/config.ts';
import { CliError, problemError } from './cli-error.ts';
import { exitCodes } from './exit-codes.ts';
import { findTarget } from './target.ts';

export interface Api {
  readonly url: string;
  get<T extends z.ZodType>(path: string, schema: T, signal?: AbortSignal): Promise<z.output<T>>;
  put<T extends z.ZodType>(path: string, body: unknown, schema: T): Promise<z.output<T>>;
  /** A question that is too long for a path: it changes nothing, so it needs no key. */
  ask<T extends z.ZodType>(path: string, body: unknown, schema: T): Promise<z.output<T>>;
  /** Always with an idempotency key, so that a request whose answer was lost is sent again safely. */
  post<T extends z.ZodType>(path: string, body: unknown, schema: T, key?: string): Promise<z.output<T>>;
  /** The bytes of a file of this machine, as they are read, for as long as it takes. */
  upload<T extends z.ZodType>(path: string, file: string, schema: T): Promise<z.output<T>>;
  delete(path: string): Promise<void>;
  /** An event stream, piece by piece as it arrives. */
  stream(path: string, signal: AbortSignal): AsyncGenerator<string>;
}

interface Init {
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

interface Reply {
  readonly status: number;
  readonly text: string;
}

const retries = 3;
const retryAfterMs = 500;
const answerWithinMs = 30_000;
/** The API sends a sign of life every 15 s. */
const silenceMs = 35_000;

/** A client of the API of this machine's Holdfast, or of the one that HOLDFAST_URL names. */
export function createApi(config: Config): Api {
  const { url, token } = findTarget(config);
  const authorization = token === null ? {} : { authorization: `Bearer ${token}` };

  async function ask(method: string, path: string, init: Init = {}): Promise<Reply> {
    const late = AbortSignal.timeout(answerWithinMs);
    const signal = init.signal === undefined ? late : AbortSignal.any([late, init.signal]);
    const headers = { accept: 'application/json', ...authorization, ...init.headers };
    try {
      const response = await fetch(url + path, { ...init, method, headers, signal });
      return { status: response.status, text: await response.text() };
    } catch (error) {
      init.signal?.throwIfAborted();
      throw unreachable(url, error);
    }
  }

  /** Only what cannot have had an effect, or is told apart by its key, is sent again. */
  async function askAgain(path: string, init: Init): Promise<Reply> {
    for (let retry = 0; ; retry += 1) {
      const reply = await ask('POST', path, init).catch((error: unknown) => {
        if (retry === retries) throw error;
        return null;
      });
      if (reply !== null && (reply.status !== 503 || retry === retries)) return reply;
      await sleep(retryAfterMs * (retry + 1));
    }
  }

  function read<T extends z.ZodType>(reply: Reply, schema: T): z.output<T> {
    demandSuccess(reply);
    const parsed = schema.safeParse(parseJson(reply.text));
    if (parsed.success) return parsed.data;
    const message = `${url} answers in a form that this version does not know`;
    throw new CliError(message, exitCodes.failed, 'holdfast --version');
  }

  return {
    url,
    get: async (path, schema, signal) => read(await ask('GET', path, signal === undefined ? {} : { signal }), schema),
    put: async (path, body, schema) => read(await ask('PUT', path, withBody(body)), schema),
    ask: async (path, body, schema) => read(await askAgain(path, withBody(body)), schema),
    post: async (path, body, schema, key = randomUUID()) =>
      read(await askAgain(path, withBody(body, { 'idempotency-key': key })), schema),
    delete: async (path) => demandSuccess(await ask('DELETE', path)),

    async upload(path, file, schema) {
      const { openUpload } = await import('./upload-file.ts');
      const body = await openUpload(file);
      const headers = { accept: 'application/json', 'content-type': 'application/octet-stream', ...authorization };
      const init = { method: 'POST', headers, body, duplex: 'half' } as RequestInit;
      const response = await fetch(url + path, init).catch((error: unknown) => {
        throw unreachable(url, error);
      });
      return read({ status: response.status, text: await response.text() }, schema);
    },

    async *stream(path, signal) {
      const silence = new AbortController();
      const timer = setTimeout(() => silence.abort(), silenceMs);
      const headers = { accept: 'text/event-stream', ...authorization };
      const decoder = new TextDecoder();
      try {
        const response = await fetch(url + path, { headers, signal: AbortSignal.any([signal, silence.signal]) });
        if (!response.ok) demandSuccess({ status: response.status, text: await response.text() });
        for await (const chunk of response.body ?? []) {
          timer.refresh();
          yield decoder.decode(chunk as Uint8Array, { stream: true });
        }
      } catch (error) {
        signal.throwIfAborted();
        throw error instanceof CliError ? error : unreachable(url, error);
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

function withBody(body: unknown, headers: Readonly<Record<string, string>> = {}): Init {
  return { body: JSON.stringify(body), headers: { 'content-type': 'application/json', ...headers } };
}

function demandSuccess({ status, text }: Reply): void {
  if (status >= 200 && status < 300) return;
  const problem = problemSchema.safeParse(parseJson(text));
  if (problem.success) throw problemError(problem.data);
  throw new CliError(`The API answered ${status}`, exitCodes.failed, 'holdfast doctor', { transient: status >= 500 });
}

function unreachable(url: string, error: unknown): CliError {
  const { name, cause } = error as { name?: string; cause?: { code?: string } };
  const code = name === 'TimeoutError' ? `nothing within ${answerWithinMs / 1000} s` : cause?.code;
  const why = code === undefined ? '' : ` (${code})`;
  const next = 'npm start, or holdfast doctor';
  return new CliError(`No Holdfast answers at ${url}${why}`, exitCodes.failed, next, { transient: true, lost: true });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}
