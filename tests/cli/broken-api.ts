import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** What befalls one request: its connection is dropped, its stream breaks off after these pieces, or it is answered. */
type Fate =
  'drop' | { readonly stream: readonly (string | Buffer)[] } | { readonly status?: number; readonly json?: unknown };

/** A broken network, in the order of its fates; after the last one every connection is dropped. */
export async function startBrokenApi(fates: readonly Fate[]) {
  const asked: string[] = [];
  const keys: string[] = [];
  const server = createServer((request, response) => {
    const fate = fates[asked.length] ?? 'drop';
    asked.push(request.headers.accept ?? '');
    const key = request.headers['idempotency-key'];
    if (typeof key === 'string') keys.push(key);
    void befall(response, fate);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    keys,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function befall(response: ServerResponse, fate: Fate): Promise<void> {
  if (fate === 'drop') return void response.destroy();
  if (!('stream' in fate)) {
    response.writeHead(fate.status ?? 200, { 'content-type': 'application/json' });
    return void response.end(fate.json === undefined ? '' : JSON.stringify(fate.json));
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  for (const piece of fate.stream) {
    response.write(piece);
    await sleep(50);
  }
  response.destroy();
}
