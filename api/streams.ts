import type { Request, Response } from 'express';
import { unavailable } from './problem.ts';
import { redactingReplacer } from './redact.ts';

/** A deploy, a wave: what has an id, and is over at some time. */
interface Followed {
  readonly id: string;
  readonly closed_at: Date | null;
  readonly result: { readonly outcome: string | null };
}

export interface StreamsDeps<T extends Followed> {
  /** The name of its events: deploy, wave. */
  readonly name: string;
  readonly find: (id: string) => Promise<T | null>;
  readonly show: (found: T) => object;
  readonly most?: number;
  readonly pollMs?: number;
  readonly heartbeatMs?: number;
}

interface Follower {
  readonly response: Response;
  sent: string;
}

interface Watched {
  readonly followers: Set<Follower>;
  readonly timer: NodeJS.Timeout;
}

export interface Streams<T extends Followed> {
  start(response: Response, followed: T): void;
  /** Ends every stream, so that the server can stop; clients see no `end` and come back. */
  close(): void;
  /** How many are polled, and how many streams are open. */
  counts(): { readonly followed: number; readonly streams: number };
}

/** Server-sent events of deploys, or of waves: each change, until it is closed. One poll each, however many follow. */
export function createStreams<T extends Followed>(deps: StreamsDeps<T>): Streams<T> {
  const { name, find, show, most = 100, pollMs = 250, heartbeatMs = 15_000 } = deps;
  const watched = new Map<string, Watched>();
  const open = new Set<Response>();
  const heartbeat = setInterval(() => open.forEach((response) => response.write(': still here\n\n')), heartbeatMs);
  heartbeat.unref();

  function follow(id: string, follower: Follower): void {
    const found = watched.get(id) ?? { followers: new Set(), timer: setInterval(createPoll(id), pollMs) };
    found.followers.add(follower);
    watched.set(id, found);
  }

  function leave(id: string, follower: Follower): void {
    open.delete(follower.response);
    const found = watched.get(id);
    found?.followers.delete(follower);
    if (found?.followers.size !== 0) return;
    clearInterval(found.timer);
    watched.delete(id);
  }

  function createPoll(id: string): () => void {
    let asking = false;
    return () => {
      if (asking) return;
      asking = true;
      find(id)
        .then((found) => found !== null && watched.get(id)?.followers.forEach((one) => tell(one, found)))
        // Postgres may come back while the client waits; the request for the first state told it when it is down.
        .catch(() => undefined)
        .finally(() => (asking = false));
    };
  }

  function tell(follower: Follower, found: T): void {
    const json = JSON.stringify(show(found), redactingReplacer);
    if (json !== follower.sent) follower.response.write(`event: ${name}\ndata: ${json}\n\n`);
    follower.sent = json;
    if (found.closed_at !== null) end(follower.response, { outcome: found.result.outcome });
  }

  return {
    start(response, followed): void {
      if (open.size >= most) throw unavailable(`${most} streams are open; ask without one.`);
      response.set({ 'content-type': 'text/event-stream; charset=utf-8', 'x-accel-buffering': 'no' }).flushHeaders();
      const follower = { response, sent: '' };
      open.add(response);
      response.on('close', () => leave(followed.id, follower));
      tell(follower, followed);
      if (followed.closed_at === null) follow(followed.id, follower);
    },

    close(): void {
      clearInterval(heartbeat);
      for (const response of open) response.end();
    },

    counts: () => ({ followed: watched.size, streams: open.size }),
  };
}

function end(response: Response, data: object): void {
  response.end(`event: end\ndata: ${JSON.stringify(data)}\n\n`);
}

/** Whether a request would rather have each change than the state of this moment. */
export function wantsEvents(request: Request): boolean {
  return (
    request.accepts(['application/json', 'text/event-stream']) === 'text/event-stream' && request.method !== 'HEAD'
  );
}
