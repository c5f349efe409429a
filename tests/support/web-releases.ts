import getPort from 'get-port';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import type { ServiceSpecInput } from '../../domain/service.ts';
import type { WebRepository } from '../../infra/demo/web-service.ts';
import type { MakeService } from './deploy-bench.ts';
import { busyboxDockerfile, busyboxPath } from './docker.ts';
import { makeRepository, type TestRepository } from './git-repository.ts';

/** How a release behaves once it is started. */
export type Behaviour =
  'good' | 'exits_at_once' | 'never_ready' | 'dies' | 'flaps' | 'wrong_sha' | 'eats_memory' | 'refuses_schema';

export interface ReleaseOf {
  readonly number: number;
  readonly behaviour: Behaviour;
  /** With `dies`. */
  readonly livesForMs?: number;
  /** holdfast.release.json */
  readonly schema?: { readonly schema_version: number; readonly schema_reads_to?: number };
}

export interface BehavingService {
  readonly make: MakeService;
  readonly release: (repository: WebRepository, release: ReleaseOf) => string;
}

const schemaFile = ({ schema }: ReleaseOf): Record<string, string> =>
  schema === undefined ? {} : { 'holdfast.release.json': JSON.stringify(schema) };

/** A node program, started by the process driver. */
export function behavingProcess(more: Partial<ServiceSpecInput> = {}): BehavingService {
  const made = new WeakMap<WebRepository, TestRepository>();
  return {
    release: (repository, release) =>
      demand(made, repository).commit({ 'server.mjs': nodeProgram(release), ...schemaFile(release) }),
    async make(home) {
      const port = await getPort();
      const plain = makeRepository(join(home, 'repository'));
      const repository: WebRepository = {
        commit: ({ number }) =>
          Promise.resolve(plain.commit({ 'server.mjs': nodeProgram({ number, behaviour: 'good' }) })),
      };
      made.set(repository, plain);
      const spec: ServiceSpecInput = {
        source: { git: plain.path, ref: 'main' },
        run: { argv: [process.execPath, '--max-old-space-size=48', 'server.mjs'], env: { PORT: String(port) } },
        probes: { http: { url: `http://127.0.0.1:${port}/health` } },
        ...more,
      };
      return { spec, repository, url: `http://127.0.0.1:${port}/` };
    },
  };
}

/** A container from scratch with busybox in it, started by the docker driver. */
export function behavingContainer(more: Partial<ServiceSpecInput> = {}): BehavingService {
  const made = new WeakMap<WebRepository, TestRepository>();
  return {
    release: (repository, release) => demand(made, repository).commit({ ...image(release), ...schemaFile(release) }),
    async make(home) {
      const port = await getPort();
      const plain = makeRepository(join(home, 'repository'));
      cpSync(await busyboxPath(), join(plain.path, 'busybox'));
      const repository: WebRepository = {
        commit: ({ number, wellForMs }) =>
          Promise.resolve(
            plain.commit(
              image(
                wellForMs === null
                  ? { number, behaviour: 'good' }
                  : { number, behaviour: 'dies', livesForMs: wellForMs },
              ),
            ),
          ),
      };
      made.set(repository, plain);
      const spec: ServiceSpecInput = {
        driver: 'docker',
        source: { git: plain.path, ref: 'main' },
        run: { stop_timeout_ms: 1_000 },
        container: { ports: [{ container: 8080, host: port }], memory_bytes: 32 * 1024 ** 2 },
        probes: { http: { url: `http://127.0.0.1:${port}/cgi-bin/health` } },
        ...more,
      };
      return { spec, repository, url: `http://127.0.0.1:${port}/` };
    },
  };
}

function demand(made: WeakMap<WebRepository, TestRepository>, repository: WebRepository): TestRepository {
  const found = made.get(repository);
  if (found === undefined) throw new Error('This repository is of another service');
  return found;
}

function nodeProgram({ number, behaviour, livesForMs = 0 }: ReleaseOf): string {
  const status = { never_ready: '503', flaps: 'asked % 3 === 0 ? 500 : 200' }[behaviour as string] ?? '200';
  const sha = behaviour === 'wrong_sha' ? `'${'f'.repeat(40)}'` : 'process.env.BUILD_SHA';
  const first = {
    exits_at_once: 'process.exit(3);',
    refuses_schema: "console.error('the data has schema 1, this needs 2'); process.exit(65);",
    dies: `setTimeout(() => process.exit(7), ${livesForMs});`,
    eats_memory:
      'setTimeout(() => { const all = []; for (;;) all.push(new Array(100_000).fill(Math.random())); }, 1_000);',
  }[behaviour as string];
  return `import { createServer } from 'node:http';
${first ?? ''}
let asked = 0;
createServer((request, response) => {
  if (request.url !== '/health') return response.end('Hello from version ${number}\\n');
  asked += 1;
  response.writeHead(${status}, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ build_sha: ${sha} }));
}).listen(Number(process.env.PORT), '127.0.0.1');
console.log('version ${number} listens on', process.env.PORT);
`;
}

function image({ number, behaviour, livesForMs = 0 }: ReleaseOf): Record<string, string> {
  const serve = `echo version ${number} listens on 8080`;
  const entry = {
    exits_at_once: 'exit 3',
    refuses_schema: 'echo the data has schema 1, this needs 2; exit 65',
    dies: `${serve}\nhttpd -p 8080 -h /www\nsleep ${livesForMs / 1_000}\nexit 7`,
    eats_memory: `${serve}\nhttpd -p 8080 -h /www\nsleep 1\nexec tail /dev/zero`,
  }[behaviour as string];
  const status = {
    never_ready: 'status="503 Service Unavailable"',
    flaps:
      'n=$(cat /tmp/asked 2>/dev/null || echo 0); n=$((n + 1)); echo $n > /tmp/asked\n[ $((n % 3)) = 0 ] && status="500 Internal Server Error"',
  }[behaviour as string];
  const sha = behaviour === 'wrong_sha' ? 'f'.repeat(40) : '$BUILD_SHA';
  return {
    Dockerfile: [
      busyboxDockerfile,
      'RUN ["/bin/busybox", "mkdir", "-p", "/tmp", "/www/cgi-bin"]',
      'COPY index.html /www/index.html',
      'COPY health /www/cgi-bin/health',
      'RUN ["/bin/busybox", "chmod", "755", "/www/cgi-bin/health"]',
      'COPY entry.sh /entry.sh',
      'CMD ["sh", "/entry.sh"]',
      '',
    ].join('\n'),
    'index.html': `Hello from version ${number}\n`,
    'entry.sh': `${entry ?? `${serve}\nexec httpd -f -p 8080 -h /www`}\n`,
    health: [
      '#!/bin/sh',
      'status="200 OK"',
      status ?? '',
      'printf "Status: %s\\r\\nContent-Type: application/json\\r\\n\\r\\n" "$status"',
      `printf '{"build_sha": "%s"}' "${sha}"`,
      '',
    ].join('\n'),
  };
}
