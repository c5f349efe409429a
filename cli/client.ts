import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { z } from 'zod';
import { problemSchema } from '../domain/problem.ts';
import type { Config } from '../infra/config.ts';
import { CliError, problemError } from './cli-error.ts';
import { exitCodes } from './exit-codes.ts';

export interface Api {
  readonly url: string;
  get<T extends z.ZodType>(path: string, schema: T): Promise<z.output<T>>;
  put<T extends z.ZodType>(path: string, body: unknown, schema: T): Promise<z.output<T>>;
  /** Always with an idempotency key, so that a request whose answer was lost is sent again safely. */
  post<T extends z.ZodType>(path: string, body: unknown, schema: T, key?: string): Promise<z.output<T>>;
  delete(path: string): Promise<void>;
  /** The raw answer to a GET that may go on for long. */
  stream(path: string, signal: AbortSignal): Promise<Response>;
}

const attempts = 3;
const retryAfterMs = 500;

/** A client of the API of this machine's Holdfast, or of the one that HOLDFAST_URL names. */
export function createApi(config: Config): Api {
  const url = (config.client.url ?? runningUrl(config) ?? 'http://127.0.0.1:8420').replace(/\/+$/, '');
  const token = config.client.token ?? readQuietly(join(config.home, 'secrets', 'admin-token'));

  async function send(method: string, path: string, init: { body?: unknown; headers?: object; signal?: AbortSignal }) {
    const headers = {
      accept: 'application/json',
      ...(token === null ? {} : { authorization: `Bearer ${token.trim()}` }),
      ...(init.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...init.headers,
    };
    const body = init.body === undefined ? null : JSON.stringify(init.body);
    try {
      return await fetch(url + path, { method, headers, body, signal: init.signal ?? null });
    } catch (error) {
      init.signal?.throwIfAborted();
      throw unreachable(url, error);
    }
  }

  async function read<T extends z.ZodType>(response: Response, schema: T): Promise<z.output<T>> {
    const answer = (await response.json().catch(() => null)) as unknown;
    if (!response.ok) throw refused(response, answer);
    const parsed = schema.safeParse(answer);
    if (parsed.success) return parsed.data;
    throw new CliError(
      `${url} answers in a form that this version does not know`,
      exitCodes.failed,
      'holdfast --version',
    );
  }

  return {
    url,
    get: async (path, schema) => read(await send('GET', path, {}), schema),
    put: async (path, body, schema) => read(await send('PUT', path, { body }), schema),
    async post(path, body, schema, key = randomUUID()) {
      for (let attempt = 1; ; attempt += 1) {
        const response = await send('POST', path, { body, headers: { 'idempotency-key': key } }).catch(
          (error: unknown) => (attempt < attempts ? null : Promise.reject(error as Error)),
        );
        if (response !== null && (response.status !== 503 || attempt === attempts)) return read(response, schema);
        await sleep(retryAfterMs * attempt);
      }
    },
    async delete(path) {
      const response = await send('DELETE', path, {});
      if (!response.ok) throw refused(response, await response.json().catch(() => null));
    },
    async stream(path, signal) {
      const response = await send('GET', path, { headers: { accept: 'text/event-stream' }, signal });
      if (!response.ok) throw refused(response, await response.json().catch(() => null));
      return response;
    },
  };
}

function refused(response: Response, answer: unknown): CliError {
  const problem = problemSchema.safeParse(answer);
  if (problem.success) return problemError(problem.data);
  return new CliError(`The API answered ${response.status}`, exitCodes.failed, 'holdfast doctor');
}

function unreachable(url: string, error: unknown): CliError {
  const cause = (error as { cause?: { code?: string } }).cause?.code;
  const why = cause === undefined ? '' : ` (${cause})`;
  return new CliError(`No Holdfast answers at ${url}${why}`, exitCodes.failed, 'npm start, or holdfast doctor');
}

/** What the stack of this data folder said it is. */
function runningUrl({ home }: Config): string | null {
  const text = readQuietly(join(home, 'run', 'stack.json'));
  return text === null ? null : (JSON.parse(text) as { api_url: string | null }).api_url;
}

function readQuietly(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
