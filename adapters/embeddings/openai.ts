import { setTimeout as sleep } from 'node:timers/promises';
import pLimit from 'p-limit';
import { z } from 'zod';
import { embeddingKey, normalise, type EmbeddingIdentity } from '../../domain/embedding.ts';
import { PermanentFailure } from '../../domain/failures.ts';
import type { Embedder } from './embedder.ts';

export interface ServedSettings {
  /** Of its API, `http://host:11434/v1`, or of its embeddings, `http://host:11434/v1/embeddings`. */
  readonly url: string;
  /** Sent as a bearer token; null: none. */
  readonly key: string | null;
  readonly identity: EmbeddingIdentity;
  readonly bounds?: Partial<ServedBounds>;
}

export interface ServedBounds {
  readonly textsARequest: number;
  readonly charactersARequest: number;
  readonly requestsAtOnce: number;
  readonly timeoutMs: number;
  /** Of one request, the first included. */
  readonly attempts: number;
  /** Before the second attempt; doubled each time. */
  readonly pauseMs: number;
  /** A server that asks for more patience than this is given up for now. */
  readonly longestPauseMs: number;
}

const usualBounds: ServedBounds = {
  textsARequest: 64,
  charactersARequest: 64_000,
  requestsAtOnce: 2,
  timeoutMs: 60_000,
  attempts: 5,
  pauseMs: 500,
  longestPauseMs: 60_000,
};

const answerSchema = z.object({
  data: z.array(z.object({ index: z.number().int(), embedding: z.array(z.number()) })),
});

/** Why a server gave no vectors. */
class ServerFailure extends Error {
  override readonly name = 'EmbeddingServerFailure';
  constructor(
    host: string,
    /** Without an address. */
    readonly why: string,
    /** Another attempt may do, after this long; null: as long as is usual. */
    readonly again: { readonly waitMs: number | null } | null = { waitMs: null },
  ) {
    super(`${host} ${why}`);
  }
}

/** A server that speaks OpenAI's /v1/embeddings: Ollama, vLLM, hosted ones. What it says is never in an error: texts may be in it. */
export function createServedEmbedder({ url, key, identity, bounds: given = {} }: ServedSettings): Embedder {
  const bounds = { ...usualBounds, ...given };
  const limit = pLimit(bounds.requestsAtOnce);
  const address = /\/embeddings\/?$/.test(url) ? url : `${url.replace(/\/+$/, '')}/embeddings`;
  const { host } = new URL(url);

  async function ask(texts: readonly string[], signal: AbortSignal): Promise<Float32Array[]> {
    const response = await fetch(address, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(key === null ? {} : { authorization: `Bearer ${key}` }) },
      body: JSON.stringify({ model: identity.model, input: texts, encoding_format: 'float' }),
      redirect: 'error',
      signal: AbortSignal.any([signal, AbortSignal.timeout(bounds.timeoutMs)]),
    }).catch((error: unknown) => {
      signal.throwIfAborted();
      throw new ServerFailure(host, `does not answer: ${whatHappened(error)}`);
    });
    if (!response.ok) {
      await response.body?.cancel();
      throw refusal(host, response);
    }
    return vectorsOf(await bodyOf(response, signal), texts.length);
  }

  async function bodyOf(response: Response, signal: AbortSignal): Promise<unknown> {
    try {
      return await response.json();
    } catch {
      signal.throwIfAborted();
      throw new ServerFailure(host, 'did not answer in JSON, or not to its end');
    }
  }

  function vectorsOf(body: unknown, count: number): Float32Array[] {
    const answer = answerSchema.safeParse(body);
    if (!answer.success) throw new ServerFailure(host, 'does not answer as /v1/embeddings does');
    const byIndex = new Map(answer.data.data.map(({ index, embedding }) => [index, embedding]));
    return Array.from({ length: count }, (_, index) => {
      const embedding = byIndex.get(index);
      if (embedding === undefined) throw new ServerFailure(host, 'left out a text');
      if (embedding.length !== identity.dimensions) {
        throw new PermanentFailure(
          'EmbeddingMismatch',
          `${identity.model} gives ${embedding.length} dimensions, not ${identity.dimensions}`,
        );
      }
      return normalise(Float32Array.from(embedding));
    });
  }

  async function askPatiently(texts: readonly string[], signal: AbortSignal): Promise<Float32Array[]> {
    for (let attempt = 1; ; attempt += 1) {
      signal.throwIfAborted();
      try {
        return await ask(texts, signal);
      } catch (error) {
        const again = error instanceof ServerFailure ? error.again : null;
        if (again === null || attempt >= bounds.attempts) throw error;
        const pause = again.waitMs ?? bounds.pauseMs * 2 ** (attempt - 1);
        if (pause > bounds.longestPauseMs) throw error;
        await sleep(pause, undefined, { signal }).catch(() => signal.throwIfAborted());
      }
    }
  }

  const embed: Embedder['embed'] = async (texts, kind, signal) => {
    const whole = texts.map((text) => identity.prefix[kind] + text);
    // One that fails ends the others: the caller begins again with all of them.
    const failed = new AbortController();
    const either = AbortSignal.any([signal, failed.signal]);
    const requests = batchesOf(whole, bounds).map((batch) => limit(() => askPatiently(batch, either)));
    try {
      return (await Promise.all(requests)).flat();
    } catch (error) {
      failed.abort(error);
      signal.throwIfAborted();
      throw error;
    }
  };

  return {
    identity,
    key: embeddingKey(identity),
    embed,
    ready: async () => {
      await embed(['ready?'], 'query', AbortSignal.timeout(bounds.timeoutMs));
    },
    close: () => Promise.resolve(),
  };
}

function batchesOf(texts: readonly string[], { textsARequest, charactersARequest }: ServedBounds): string[][] {
  const batches: string[][] = [];
  let characters = 0;
  for (const text of texts) {
    const last = batches.at(-1);
    const fits = last !== undefined && last.length < textsARequest && characters + text.length <= charactersARequest;
    if (fits) last.push(text);
    else batches.push([text]);
    characters = (fits ? characters : 0) + text.length;
  }
  return batches;
}

/** Too much at once, or its own trouble: wait. Everything else is the same the next time, and a person has to see to it. */
function refusal(host: string, { status, headers }: Response): Error {
  const passes = status === 429 || status === 408 || status >= 500;
  const why = `answers ${status}`;
  if (passes) return new ServerFailure(host, why, { waitMs: retryAfterMs(headers.get('retry-after')) });
  if ([400, 413, 422].includes(status)) return new PermanentFailure('TextRefused', `${host} ${why}`);
  return new ServerFailure(host, status === 401 || status === 403 ? `${why}: it refuses the key` : why, null);
}

/** Seconds, or a date. */
function retryAfterMs(value: string | null): number | null {
  if (value === null) return null;
  const seconds = Number(value);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1_000);
  const date = Date.parse(value);
  return Number.isNaN(date) ? null : Math.max(0, date - Date.now());
}

function whatHappened(error: unknown): string {
  const { name, cause } = error as Error;
  if (name === 'TimeoutError') return 'no answer in time';
  const { code } = (cause ?? {}) as { code?: unknown };
  return typeof code === 'string' ? code : 'the connection failed';
}
