import { createParser } from 'eventsource-parser';
import { setTimeout as sleep } from 'node:timers/promises';
import type { z } from 'zod';
import { CliError } from './cli-error.ts';
import type { Api } from './client.ts';

const reconnectMs = 500;
const patienceMs = 60_000;

/** What is followed: where it is asked for, what its events are called, and what it is. */
export interface Followed<T extends { readonly closed_at: string | null }> {
  readonly path: string;
  readonly event: string;
  readonly schema: z.ZodType<T>;
}

/**
 * A deploy or a wave at each change, until it is closed. A stream that breaks off, or cannot be had, is replaced by one plain
 * question, then tried again. The API may be away for a minute.
 */
export async function* changesOf<T extends { readonly closed_at: string | null }>(
  api: Api,
  followed: Followed<T>,
  signal: AbortSignal,
): AsyncGenerator<T> {
  let told = '';
  let heard = Date.now();
  for (let turn = 0; ; turn += 1) {
    try {
      for await (const state of turn % 2 === 0 ? streamed(api, followed, signal) : asked(api, followed, signal)) {
        heard = Date.now();
        const now = JSON.stringify(state);
        if (now !== told) yield state;
        told = now;
        if (state.closed_at !== null) return;
      }
    } catch (error) {
      signal.throwIfAborted();
      const mayPass = error instanceof CliError && error.transient;
      if (!mayPass || Date.now() - heard > patienceMs) throw error;
    }
    await sleep(reconnectMs, undefined, { signal });
  }
}

async function* streamed<T extends { readonly closed_at: string | null }>(
  api: Api,
  { path, event: name, schema }: Followed<T>,
  signal: AbortSignal,
): AsyncGenerator<T> {
  const arrived: T[] = [];
  const parser = createParser({
    onEvent: ({ event, data }) => {
      if (event === name) arrived.push(schema.parse(JSON.parse(data)));
    },
  });
  for await (const piece of api.stream(path, signal)) {
    parser.feed(piece);
    yield* arrived.splice(0);
  }
}

async function* asked<T extends { readonly closed_at: string | null }>(
  api: Api,
  { path, schema }: Followed<T>,
  signal: AbortSignal,
): AsyncGenerator<T> {
  yield await api.get(path, schema, signal);
}
