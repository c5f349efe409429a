import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface WebRepository {
  /** Returns the id of the commit. */
  readonly commit: (version: Version) => Promise<string>;
}

/** A small web service in a git repository of its own, made anew each time. */
export async function createWebRepository(folder: string): Promise<WebRepository> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const git = async (...args: string[]): Promise<string> => (await run('git', args, { cwd: folder })).stdout.trim();
  await git('init', '--quiet', '--initial-branch=main');
  return {
    async commit(version) {
      await writeFile(join(folder, 'server.mjs'), serverSource(version));
      await git('add', 'server.mjs');
      const identity = [
        '-c',
        'user.name=Holdfast demo',
        '-c',
        'user.email=demo@holdfast.invalid',
        '-c',
        'commit.gpgsign=false',
      ];
      await git(...identity, 'commit', '--quiet', '--allow-empty', '--message', `Version ${version.number}`);
      return git('rev-parse', 'HEAD');
    },
  };
}

export interface Version {
  readonly number: number;
  /** How long it stays well; null: for ever. */
  readonly wellForMs: number | null;
}

function serverSource({ number, wellForMs }: Version): string {
  return `import { createServer } from 'node:http';

const started = Date.now();
const well = () => ${wellForMs === null ? 'true' : `Date.now() - started < ${wellForMs}`};
const { PORT, BUILD_SHA: build_sha, BUILD_TIME: build_time, BUILD_BRANCH: build_branch } = process.env;

createServer((request, response) => {
  if (request.url !== '/health') return response.end('Hello from version ${number}\\n');
  response.writeHead(well() ? 200 : 500, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ status: well() ? 'ok' : 'failing', build_sha, build_time, build_branch }));
}).listen(Number(PORT), '127.0.0.1');
console.log('version ${number} listens on', PORT);
`;
}
