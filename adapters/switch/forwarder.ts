import { existsSync, readFileSync, watch } from 'node:fs';
import type { Server } from 'node:http';
import { readWanted, statusPath, wantedPath, writeWhole, type ForwarderStatus } from './forwarder-files.ts';
import { createForwardingServer } from './forwarding-server.ts';
import { createUpstream, type Upstream } from './upstream.ts';

// The program `forwarder.js <folder of the switch> <instance> <host> <port>`: stands in front of one service and sends each
// request to the port that wanted.json names. It ends on SIGTERM only, outlives what started it, and says little: its
// output is a pipe, and while nobody reads that, what is written beyond 64 KiB would make it wait.

const pollMs = 500;
const statusPauseMs = 50;
const takenPatienceMs = 3_000;
const quietMs = 60_000;

interface Teller {
  readonly status: ForwarderStatus;
  tell(change: Partial<ForwarderStatus>): void;
  /** Is what was told last where the switch reads it? */
  isThere(): boolean;
}

function createTeller(path: string, listen: ForwarderStatus['listen']): Teller {
  const nothingYet = { listening: false, error: null, epoch: 0, port: null, in_flight_elsewhere: 0, cut: 0 };
  let status: ForwarderStatus = { listen, ...nothingYet };
  let written = false;
  return {
    get status() {
      return status;
    },
    tell(change) {
      status = { ...status, ...change };
      try {
        writeWhole(path, status, { flush: false });
        written = true;
      } catch {
        written = false; // A full disk: tried again with every poll.
      }
    },
    isThere: () => written && existsSync(path),
  };
}

/** As it is written, by a watch; a poll finds what a watch misses. */
function followWanted(folder: string, upstream: Upstream, teller: Teller): { drainMs(): number } {
  let last = '';
  let drainMs = 0;

  function look(): void {
    const text = readText(wantedPath(folder));
    const wanted = text === last ? null : readWanted(folder);
    if (wanted === null) return;
    last = text;
    drainMs = wanted.drain_ms;
    const moved = wanted.port !== upstream.target();
    if (moved) {
      upstream.pointTo(wanted.port);
      note(`new requests go to port ${wanted.port}`);
    }
    const cut = (moved ? 0 : teller.status.cut) + (wanted.cut ? upstream.cutElsewhere() : 0);
    const in_flight_elsewhere = wanted.cut ? 0 : upstream.elsewhere();
    teller.tell({ epoch: wanted.epoch, port: wanted.port, cut, in_flight_elsewhere });
  }

  function poll(): void {
    look();
    // Where the folder was taken away and made again, whoever made it wants to know who is here.
    if (!teller.isThere() && existsSync(wantedPath(folder))) teller.tell({});
  }

  look();
  setInterval(poll, pollMs);
  try {
    watch(folder, look).on('error', () => undefined);
  } catch {
    // No more watches to be had on this machine: the poll finds it, a little later.
  }
  return { drainMs: () => drainMs };
}

function listenOn(server: Server, address: ForwarderStatus['listen'], teller: Teller): void {
  const deadline = Date.now() + takenPatienceMs;
  const listen = () => void server.listen(address);
  server.on('error', (error: NodeJS.ErrnoException) => {
    if (server.listening) return;
    // The forwarder before, told to end, may still hold it.
    if (error.code === 'EADDRINUSE' && Date.now() < deadline) return void setTimeout(listen, statusPauseMs);
    note(`cannot listen: ${error.message}`);
    teller.tell({ error: error.code ?? error.message });
    process.exit(1);
  });
  server.once('listening', () => {
    note(`listening on ${address.host} port ${address.port}`);
    teller.tell({ listening: true });
  });
  listen();
}

/** Takes no more connections, and ends when nothing is under way any more. */
function end(server: Server, graceMs: number): void {
  const deadline = Date.now() + graceMs;
  server.close(() => process.exit(0));
  setInterval(() => {
    server.closeIdleConnections();
    if (Date.now() > deadline) process.exit(0);
  }, statusPauseMs);
}

/** Whatever is wrong with one request must not end all the others; said once a minute at most. */
function surviveAnything(): void {
  let last = -Infinity;
  process.on('uncaughtException', (error) => {
    if (Date.now() - last < quietMs) return;
    last = Date.now();
    note(`survived: ${error.stack ?? error.message}`);
  });
}

function note(text: string): void {
  process.stdout.write(`${new Date().toISOString()} ${text}\n`);
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function run(folder: string, instance: string, address: ForwarderStatus['listen']): void {
  const teller = createTeller(statusPath(folder, instance), address);
  let soon: NodeJS.Timeout | undefined;
  const upstream = createUpstream(() => {
    soon ??= setTimeout(() => {
      soon = undefined;
      teller.tell({ in_flight_elsewhere: upstream.elsewhere() });
    }, statusPauseMs);
  });
  const wanted = followWanted(folder, upstream, teller);
  const server = createForwardingServer(upstream);
  listenOn(server, address, teller);
  process.once('SIGTERM', () => {
    teller.tell({ listening: false });
    end(server, wanted.drainMs());
  });
  surviveAnything();
}

const [folder = '', instance = '', host = '', port = ''] = process.argv.slice(2);
run(folder, instance, { host, port: Number(port) });
