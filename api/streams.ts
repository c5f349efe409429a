import type { Response } from 'express';
import type { StoredDeploy } from '../adapters/postgres/deploys.ts';
import type { Deploy } from '../domain/deploy/schemas.ts';
import { unavailable } from './problem.ts';
import { redactingReplacer } from './redact.ts';

export interface StreamsDeps {
  readonly find: (id: string) => Promise<StoredDeploy | null>;
  readonly show: (deploy: StoredDeploy) => Deploy;
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

export type Streams = ReturnType<typeof createStreams>;

/** Server-sent events of deploys: each change of the row, until the deploy is closed. One poll a deploy, however many follow. */
export function createStreams({ find, show, most = 100, pollMs = 250, heartbeatMs = 15_000 }: StreamsDeps) {
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
        .then((deploy) => deploy !== null && watched.get(id)?.followers.forEach((one) => tell(one, deploy)))
        // Postgres may come back while the client waits; the request for the first state told it when it is down.
        .catch(() => undefined)
        .finally(() => (asking = false));
    };
  }

  function tell(follower: Follower, deploy: StoredDeploy): void {
    const json = JSON.stringify(show(deploy), redactingReplacer);
    if (json !== follower.sent) follower.response.write(`event: deploy\ndata: ${json}\n\n`);
    follower.sent = json;
    if (deploy.closed_at !== null) end(follower.response, { outcome: deploy.result.outcome });
  }

  return {
    start(response: Response, deploy: StoredDeploy): void {
      if (open.size >= most) throw unavailable(`${most} streams are open; ask for the deploy without one.`);
      response.set({ 'content-type': 'text/event-stream; charset=utf-8', 'x-accel-buffering': 'no' }).flushHeaders();
      const follower = { response, sent: '' };
      open.add(response);
      response.on('close', () => leave(deploy.id, follower));
      tell(follower, deploy);
      if (deploy.closed_at === null) follow(deploy.id, follower);
    },

    /** Ends every stream, so that the server can stop; clients see no `end` and come back. */
    close(): void {
      clearInterval(heartbeat);
      for (const response of open) response.end();
    },

    /** How many deploys are polled, and how many streams are open. */
    counts: () => ({ deploys: watched.size, streams: open.size }),
  };
}

function end(response: Response, data: object): void {
  response.end(`event: end\ndata: ${JSON.stringify(data)}\n\n`);
}
