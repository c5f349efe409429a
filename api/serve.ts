import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { App } from './app.ts';
import { isLoopback } from './guard.ts';
import type { Logger } from './log.ts';

export interface ServeOptions {
  readonly host: string;
  readonly port: number;
  readonly app: App;
  readonly log: Logger;
  /** Is there any token? Asked before it listens beyond loopback. */
  readonly anyToken: () => Promise<boolean>;
  /** Ends it. */
  readonly stopping: AbortSignal;
  readonly onListening?: (port: number) => void;
}

export class NothingGuardsIt extends Error {
  override readonly name = 'NothingGuardsIt';
}

const cutAfterMs = 3_000;
/** Nothing is received for longer: of an archive that is uploaded, in five minutes, too little would be. */
const uploadWithinMs = 3_600_000;

/** Serves until it is told to stop; resolves when every request has been answered or cut, 3 s later at most. */
export async function serve(options: ServeOptions): Promise<void> {
  const { host, port, app, log, stopping } = options;
  if (!isLoopback(host)) await demandToken(options);
  const stopped = once(stopping, 'abort');
  if (stopping.aborted) return;
  const server = createServer({ requestTimeout: uploadWithinMs }, app.express);
  server.listen(port, host);
  await once(server, 'listening');
  const bound = (server.address() as AddressInfo).port;
  log.info({ host, port: bound }, 'listening');
  options.onListening?.(bound);
  await stopped;
  log.info('stopping');
  await stop(server, app);
}

/** Whoever can reach it from outside must need a token: so there has to be one before it listens. */
async function demandToken({ anyToken, log, stopping }: ServeOptions): Promise<void> {
  while (!stopping.aborted) {
    const found = await anyToken().catch((error: unknown) => {
      log.warn({ err: error }, 'waiting for Postgres before listening beyond loopback');
      return null;
    });
    if (found === true) return;
    if (found === false) {
      throw new NothingGuardsIt('HOLDFAST_API_HOST is not loopback and no token exists: nothing would guard it.');
    }
    await sleep(1_000, null, { signal: stopping }).catch(() => undefined);
  }
}

/** Requests under way are finished, streams are ended, nothing new is taken. */
async function stop(server: Server, { streams }: App): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  for (const each of Object.values(streams)) each.close();
  server.closeIdleConnections();
  const cut = setTimeout(() => server.closeAllConnections(), cutAfterMs);
  await closed;
  clearTimeout(cut);
}
