import { createParser } from 'eventsource-parser';
import { setTimeout as sleep } from 'node:timers/promises';
import { deploySchema, type Deploy } from '../domain/deploy/schemas.ts';
import { CliError } from './cli-error.ts';
import type { Api } from './client.ts';

const reconnectMs = 500;
const patienceMs = 60_000;

/**
 * The deploy at each change, until it is closed. A stream that breaks off, or cannot be had, is replaced by one plain
 * question, then tried again. The API may be away for a minute.
 */
export async function* changesOf(api: Api, id: string, signal: AbortSignal): AsyncGenerator<Deploy> {
  let told = '';
  let heard = Date.now();
  for (let turn = 0; ; turn += 1) {
    try {
      for await (const deploy of turn % 2 === 0 ? streamed(api, id, signal) : asked(api, id, signal)) {
        heard = Date.now();
        const now = JSON.stringify(deploy);
        if (now !== told) yield deploy;
        told = now;
        if (deploy.closed_at !== null) return;
      }
    } catch (error) {
      signal.throwIfAborted();
      const mayPass = error instanceof CliError && error.transient;
      if (!mayPass || Date.now() - heard > patienceMs) throw error;
    }
    await sleep(reconnectMs, undefined, { signal });
  }
}

async function* streamed(api: Api, id: string, signal: AbortSignal): AsyncGenerator<Deploy> {
  const arrived: Deploy[] = [];
  const parser = createParser({
    onEvent: ({ event, data }) => {
      if (event === 'deploy') arrived.push(deploySchema.parse(JSON.parse(data)));
    },
  });
  for await (const piece of api.stream(`/v1/deploys/${encodeURIComponent(id)}`, signal)) {
    parser.feed(piece);
    yield* arrived.splice(0);
  }
}

async function* asked(api: Api, id: string, signal: AbortSignal): AsyncGenerator<Deploy> {
  yield await api.get(`/v1/deploys/${encodeURIComponent(id)}`, deploySchema, signal);
}
