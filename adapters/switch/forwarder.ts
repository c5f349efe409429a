import { existsSync, readFileSync, watch } from 'node:fs';
import { readWanted, statusPath, wantedPath, writeWhole, type ForwarderStatus } from './forwarder-files.ts';
import { createForwardingServer } from './forwarding-server.ts';
import { createUpstream } from './upstream.ts';

// The program `forwarder.js <folder of the switch> <instance> <host> <port>`: stands in front of one service and sends each
// request to the port that wanted.json names. It ends on SIGTERM only, outlives what started it, and says little: its
// output is a pipe, and while nobody reads that, what is written beyond 64 KiB would make it wait.

const pollMs = 500;
const statusPauseMs = 50;
const takenPatienceMs = 3_000;
const quietMs = 60_000;

function run(folder: string, instance: string, host: string, port: number): void {
  let status: ForwarderStatus = {
    listen: { host, port },
    listening: false,
    error: null,
    epoch: 0,
    port: null,
    in_flight_elsewhere: 0,
    cut: 0,
  };
  let lastWanted = '';
  let drainMs = 0;
  let soon: NodeJS.Timeout | undefined;
  let unwritten = true;

  function tell(change: Partial<ForwarderStatus>): void {
    status = { ...status, ...change };
    try {
      writeWhole(statusPath(folder, instance), status, { flush: false });
      unwritten = false;
    } catch {
      unwritten = true; // A full disk: tried again with every poll.
    }
  }

  const upstream = createUpstream(() => {
    soon ??= setTimeout(() => {
      soon = undefined;
      tell({ in_flight_elsewhere: upstream.elsewhere() });
    }, statusPauseMs);
  });

  function follow(): void {
    const text = readText(wantedPath(folder));
    const wanted = text === lastWanted ? null : readWanted(folder);
    if (wanted === null) {
      // Where the folder was taken away and made again, whoever made it wants to know who is here.
      if (unwritten || !existsSync(statusPath(folder, instance))) tell({});
      return;
    }
    lastWanted = text;
    drainMs = wanted.drain_ms;
    const moved = wanted.port !== upstream.target();
    if (moved) {
      upstream.pointTo(wanted.port);
      note(`new requests go to port ${wanted.port}`);
    }
    const before = moved ? 0 : status.cut;
    const cut = before + (wanted.cut ? upstream.cutElsewhere() : 0);
    tell({ epoch: wanted.epoch, port: wanted.port, cut, in_flight_elsewhere: wanted.cut ? 0 : upstream.elsewhere() });
  }

  const server = createForwardingServer(upstream);
  const takenUntil = Date.now() + takenPatienceMs;
  server.on('error', (error: NodeJS.ErrnoException) => {
    if (server.listening) return;
    // The forwarder before, told to end, may still hold it.
    if (error.code === 'EADDRINUSE' && Date.now() < takenUntil) return void setTimeout(listen, 50);
    note(`cannot listen: ${error.message}`);
    tell({ error: error.code ?? error.message });
    process.exit(1);
  });
  function listen(): void {
    server.listen({ host, port });
  }
  server.once('listening', () => {
    note(`listening on ${host} port ${port}`);
    tell({ listening: true, error: null });
  });

  /** Takes no more connections, and ends when nothing is under way any more. */
  function end(): void {
    tell({ listening: false });
    const deadline = Date.now() + drainMs;
    server.close(() => process.exit(0));
    setInterval(() => {
      server.closeIdleConnections();
      if (Date.now() > deadline) process.exit(0);
    }, statusPauseMs);
  }

  follow();
  listen();
  setInterval(follow, pollMs);
  try {
    watch(folder, follow).on('error', () => undefined);
  } catch {
    // No more watches to be had on this machine: the poll finds it, a little later.
  }
  process.once('SIGTERM', end);
}

/** Whatever is wrong with one request must not end all the others; said once a minute at most. */
function surviveAnything(): void {
  let last = 0;
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

const [folder = '', instance = '', host = '', port = ''] = process.argv.slice(2);
surviveAnything();
run(folder, instance, host, Number(port));
