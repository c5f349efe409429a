import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { ServiceSpecInput } from '../domain/service.ts';
import { onPath } from '../infra/stack/prerequisites.js';

const run = promisify(execFile);

/** How a release turns bad, so long after it came up or after the first request for a page. */
export interface Fault {
  readonly kind: 'exits' | 'unhealthy';
  readonly after_ms: number;
  readonly from: 'start' | 'traffic';
}

/** A small web service, in a repository of its own, that a driver can deploy. */
export interface Workload {
  readonly driver: 'process' | 'docker';
  readonly repository: string;
  /** A new release; with a fault, a bad one. Returns the id of the commit. */
  commit(fault?: Fault): Promise<string>;
  /** Listens on a port that stays the same, so it is deployed stop-first. */
  onPort(port: number): ServiceSpecInput;
  /** Takes its port, behind a switch that listens on this one: deployed start-first. */
  behind(listen: number): ServiceSpecInput;
}

/** Where busybox's httpd runs programs; Node's server has its pages there too. `slow` takes 0.4 s. */
export const pages = { usual: '/cgi-bin/page', slow: '/cgi-bin/slow' } as const;
export const pageText = 'Hello from version';
export const containerPort = 8080;
export const serveStep = [process.execPath, 'server.mjs'] as const;
export const buildStep = [process.execPath, 'build.mjs'] as const;

export async function createWorkload(driver: Workload['driver'], folder: string): Promise<Workload> {
  const commitFiles = await createRepository(folder);
  if (driver === 'docker') await copyFile(await busybox(), join(folder, 'busybox'));
  const files = driver === 'process' ? processFiles : dockerFiles;
  let number = 0;
  const health = (port: number | string) => ({ http: { url: `http://127.0.0.1:${port}/health` } });
  const runs = (port: number | string): ServiceSpecInput =>
    driver === 'process'
      ? { driver, build: [{ argv: [...buildStep] }], run: { argv: [...serveStep], env: { PORT: String(port) } } }
      : { driver, container: { ports: [{ container: containerPort, host: port as number | '{port}' }] } };
  const source = { git: folder, ref: 'main' };
  return {
    driver,
    repository: folder,
    commit: (fault) => commitFiles(files((number += 1), fault ?? null), `Version ${number}`),
    onPort: (port) => ({ ...runs(port), source, probes: health(port) }),
    behind: (port) => ({ ...runs('{port}'), source, probes: health('{port}'), traffic: { listen: { port } } }),
  };
}

type Files = Readonly<Record<string, string>>;

async function createRepository(folder: string): Promise<(files: Files, message: string) => Promise<string>> {
  await mkdir(folder, { recursive: true });
  const identity = ['-c', 'user.name=bench', '-c', 'user.email=bench@holdfast.invalid', '-c', 'commit.gpgsign=false'];
  const git = async (...args: string[]) => (await run('git', [...identity, ...args], { cwd: folder })).stdout.trim();
  await git('init', '--quiet', '--initial-branch=main');
  return async (files, message) => {
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), text);
      await chmod(join(folder, name), 0o755);
    }
    await git('add', '--all');
    await git('commit', '--quiet', '--message', message);
    return git('rev-parse', 'HEAD');
  };
}

async function busybox(): Promise<string> {
  const path = await onPath('busybox', `${process.env['PATH'] ?? ''}:/usr/bin:/bin`);
  if (path === null) throw new Error('No busybox to build images from: install the package busybox-static');
  return path;
}

function processFiles(number: number, fault: Fault | null): Files {
  return {
    'release.json': JSON.stringify({ number, fault }),
    'build.mjs': `import { writeFileSync } from 'node:fs';\nwriteFileSync('built.txt', 'built\\n');\n`,
    'server.mjs': `import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

const { number, fault } = JSON.parse(readFileSync('release.json', 'utf8'));
const { PORT, BUILD_SHA: build_sha } = process.env;
let failing = false;
let armed = false;
function arm(from) {
  if (armed || fault?.from !== from) return;
  armed = true;
  setTimeout(() => (fault.kind === 'exits' ? process.exit(3) : (failing = true)), fault.after_ms);
}

createServer((request, response) => {
  if (request.url === '/health') {
    response.writeHead(failing ? 500 : 200, { 'content-type': 'application/json' });
    return response.end(JSON.stringify({ status: failing ? 'failing' : 'ok', build_sha }));
  }
  arm('traffic');
  setTimeout(() => response.end('${pageText} ' + number + '\\n'), request.url === '${pages.slow}' ? 400 : 0);
}).listen(Number(PORT), '127.0.0.1', () => arm('start'));
`,
  };
}

/** All from busybox: no base image and no registry is needed. */
function dockerFiles(number: number, fault: Fault | null): Files {
  const page = (wait: string) =>
    `#!/bin/sh\n: >/visited\n${wait}printf 'Content-Type: text/plain\\r\\n\\r\\n'\necho '${pageText} ${number}'\n`;
  const bad = fault?.kind === 'exits' ? 'exit 3' : 'rm /www/health';
  const after = fault === null ? '' : `sleep ${fault.after_ms / 1_000}\n${bad}\n`;
  return {
    Dockerfile: `FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
COPY serve.sh /serve.sh
COPY www /www
CMD ["/bin/sh", "/serve.sh"]
`,
    'serve.sh': `printf '{"status":"ok","build_sha":"%s"}' "$BUILD_SHA" >/www/health
httpd -f -p ${containerPort} -h /www &
${fault?.from === 'traffic' ? 'until [ -f /visited ]; do sleep 0.1; done\n' : ''}${after}wait
`,
    'www/cgi-bin/page': page(''),
    'www/cgi-bin/slow': page('sleep 0.4\n'),
  };
}
