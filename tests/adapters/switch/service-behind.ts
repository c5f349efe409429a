import getPort from 'get-port';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createForwarderSwitch } from '../../../adapters/switch/forwarder-switch.ts';
import type { TrafficSwitch } from '../../../adapters/switch/switch.ts';
import { createProcessDriver, type ProcessDriver } from '../../../adapters/process/driver.ts';
import { findLabelled } from '../../../adapters/process/identity.ts';
import type { TrafficSpec } from '../../../domain/service.ts';
import { compileTree } from '../../support/compile.ts';
import { until } from '../../support/box.ts';

/** One release of a service, as a process of its own: says its name, is slow, echoes, hashes, and counts who left. */
export interface Release {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  kill(signal?: NodeJS.Signals): Promise<void>;
}

const program = `
const http = require('node:http'), crypto = require('node:crypto');
const [name, port] = process.argv.slice(2);
const seen = { aborted: 0, open: 0, came: {}, ended: {} };
process.on('unhandledRejection', () => {}); // Of clients that leave.
const server = http.createServer({ keepAliveTimeout: 5000 }, async (req, res) => {
  const url = new URL(req.url, 'http://x');
  res.setHeader('x-release', name);
  const count = (by) => { by[url.pathname] = (by[url.pathname] || 0) + 1; };
  count(seen.came);
  res.on('close', () => { if (res.writableFinished) count(seen.ended); else seen.aborted += 1; });
  const json = (value) => { res.setHeader('content-type', 'application/json'); res.end(JSON.stringify(value)); };
  if (url.pathname === '/slow') return setTimeout(() => res.end(name), Number(url.searchParams.get('ms')));
  if (url.pathname === '/trickle') { res.write('begin\\n'); const t = setInterval(() => res.write('more\\n'), 50); return res.on('close', () => clearInterval(t)); }
  if (url.pathname === '/hash') { const hash = crypto.createHash('sha256'); let bytes = 0; for await (const c of req) { hash.update(c); bytes += c.length; } return json({ bytes, sha256: hash.digest('hex') }); }
  if (url.pathname === '/bytes') { const block = Buffer.alloc(65536, 'holdfast'); for (let n = Number(url.searchParams.get('blocks')); n > 0; n -= 1) if (!res.write(block)) { if (res.destroyed) return; await new Promise((go) => setTimeout(go, 1)); } return res.end(); }
  if (url.pathname === '/seen') return json({ ...seen, open: await new Promise((go) => server.getConnections((_e, n) => go(n))) });
  if (url.pathname === '/request') return json({ method: req.method, url: req.url, headers: req.headers });
  if (url.pathname === '/hints') { res.writeEarlyHints({ link: '</a.css>; rel=preload' }); return res.end(name); }
  if (url.pathname === '/trailers') { res.setHeader('trailer', 'x-sum'); res.write('body'); res.addTrailers({ 'x-sum': '42' }); return res.end(); }
  if (url.pathname === '/reset') return req.socket.resetAndDestroy();
  if (url.pathname === '/half') { res.setHeader('content-length', '100'); res.write('half'); return setTimeout(() => req.socket.destroy(), 50); }
  if (url.pathname === '/strange') { req.socket.end('HTTP/1.1 200 \\x01odd\\r\\ncontent-length: 2\\r\\nset-cookie: a=1\\r\\nset-cookie: b=2\\r\\nx-bad: \\x7f\\r\\n\\r\\nok'); return; }
  req.resume(); res.end(name);
});
server.on('checkContinue', (req, res) => {
  if (req.url === '/refuses') { res.writeHead(413); return res.end(); }
  res.writeContinue(); server.emit('request', req, res);
});
server.on('upgrade', (req, socket, head) => {
  if (req.url === '/no') return socket.end('HTTP/1.1 403 Forbidden\\r\\ncontent-length: 0\\r\\n\\r\\n');
  const accept = crypto.createHash('sha1').update(req.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');
  socket.write('HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Accept: ' + accept + '\\r\\nx-release: ' + name + '\\r\\n\\r\\n');
  socket.on('error', () => {}); socket.pipe(socket);
});
server.listen(Number(port), '127.0.0.1', () => console.log('up'));
`;

export interface Bench {
  readonly root: string;
  readonly traffic: TrafficSpec;
  readonly forwarder: TrafficSwitch;
  readonly processes: ProcessDriver;
  readonly url: string;
  /** As another worker has it. */
  another(): { forwarder: TrafficSwitch; processes: ProcessDriver };
  release(name: string, port?: number): Promise<Release>;
  /** The forwarders that run. */
  pids(): number[];
  folder(): string;
  close(): Promise<void>;
}

export const service = 'web';

export async function makeBench(change: Partial<TrafficSpec> = {}): Promise<Bench> {
  const root = mkdtempSync(join(tmpdir(), 'holdfast-switch-'));
  const { program: compiled } = compileTree();
  const children: ChildProcess[] = [];
  const script = join(root, 'release.cjs');
  writeFileSync(script, program);
  const another = () => {
    const keeperPath = compiled('adapters/process/keeper.js');
    const processes = createProcessDriver({ root, keeperPath, env: process.env });
    const forwarderPath = compiled('adapters/switch/forwarder.js');
    return { processes, forwarder: createForwarderSwitch({ processes, root, forwarderPath }) };
  };
  const { forwarder, processes } = another();
  const traffic: TrafficSpec = { listen: { host: '127.0.0.1', port: await getPort() }, drain_ms: 5_000, ...change };
  const folder = () => join(root, service);
  return {
    root,
    traffic,
    forwarder,
    processes,
    url: `http://127.0.0.1:${traffic.listen.port}`,
    another,
    folder,
    async release(name, wanted) {
      const port = wanted ?? (await getPort());
      const child = spawn(process.execPath, [script, name, String(port)], { stdio: ['ignore', 'pipe', 'inherit'] });
      children.push(child);
      await once(child.stdout, 'data');
      return {
        name,
        port,
        pid: child.pid ?? 0,
        async kill(signal = 'SIGKILL') {
          if (child.exitCode !== null || child.signalCode !== null) return;
          child.kill(signal);
          await once(child, 'exit');
        },
      };
    },
    pids: () => forwardersOf(folder()),
    async close() {
      for (const child of children) child.kill('SIGKILL');
      await forwarder.remove(service, { ...traffic, drain_ms: 0 });
      await until(() => forwardersOf(folder()).length === 0);
      rmSync(root, { recursive: true, force: true });
    },
  };
}

function forwardersOf(folder: string): number[] {
  const found = findLabelled({ HOLDFAST_SERVICE: service, HOLDFAST_RELEASE: 'forwarder' });
  return found.map(({ pid }) => pid).filter((pid) => argvOf(pid).includes(folder));
}

function argvOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

export interface Seen {
  readonly aborted: number;
  /** How many requests came for a path, and of how many the answer went out. */
  readonly came: Readonly<Record<string, number>>;
  readonly ended: Readonly<Record<string, number>>;
}

/** Asked of the service itself, past everything that stands before it. */
export async function seenBy({ port }: Pick<Release, 'port'>): Promise<Seen> {
  return (await (await fetch(`http://127.0.0.1:${port}/seen`)).json()) as Seen;
}

/** Until one more request for this path than before has come to the service. */
export async function untilCome(release: Pick<Release, 'port'>, path: string, before = 0): Promise<void> {
  await until(async () => ((await seenBy(release)).came[path] ?? 0) > before);
}
