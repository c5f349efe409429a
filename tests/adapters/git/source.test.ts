import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGitSource, type GitSource } from '../../../adapters/git/source.ts';
import { until } from '../../support/box.ts';
import { makeRepository, type TestRepository } from '../../support/git-repository.ts';

let folder: string;
let repository: TestRepository;
let source: GitSource;
let first: string;
let second: string;
let count = 0;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-git-'));
  repository = makeRepository(join(folder, 'repository'));
  first = repository.commit({ 'a.txt': 'one', 'bin/run': '#!/bin/sh\n' });
  second = repository.commit({ 'a.txt': 'two', 'folder/b.txt': 'b' });
  source = createGitSource({ root: join(folder, 'services'), env: process.env });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const out = () => join(folder, `out-${(count += 1)}`);
const mirror = () => join(folder, 'services/web/source.git');
const fetchIt = () => source.fetch('web', repository.path);

describe('what a ref means', () => {
  test('branch, tag, full and short commit id, HEAD', async () => {
    repository.git('tag', 'light', first);
    repository.git('tag', '-a', '-m', 'annotated', 'v1.0.0', first);
    repository.git('branch', 'team/feature', first);
    await fetchIt();
    const committed_at = new Date(repository.git('log', '-1', '--format=%cI', second)).toISOString();
    expect(await source.resolve('web', 'main')).toEqual({ commit: second, branch: 'main', committed_at });
    expect(await source.resolve('web', 'HEAD')).toMatchObject({ commit: second, branch: 'main' });
    expect(await source.resolve('web', 'team/feature')).toMatchObject({ commit: first, branch: 'team/feature' });
    for (const ref of ['light', 'v1.0.0', first, first.slice(0, 7), first.slice(0, 10).toUpperCase()]) {
      expect(await source.resolve('web', ref)).toMatchObject({ commit: first, branch: null });
    }
  });

  test.each(['nowhere', '0000000', 'f'.repeat(40), '--all', 'main..other', 'main@{1}', ':/change', ''])(
    '%j is unknown',
    async (ref) => {
      await fetchIt();
      await expect(source.resolve('web', ref)).rejects.toMatchObject({ type: 'RefUnknown' });
    },
  );

  test('a HEAD that is on no branch, and one that has no commit', async () => {
    repository.git('checkout', '--quiet', '--detach', first);
    await fetchIt();
    expect(await source.resolve('web', 'HEAD')).toMatchObject({ commit: first, branch: null });

    const empty = makeRepository(join(folder, 'empty'));
    await source.fetch('new', empty.path);
    await expect(source.resolve('new', 'HEAD')).rejects.toMatchObject({ type: 'RefUnknown' });
  });

  test('follows the source: new and rewritten commits, removed branches, another default branch', async () => {
    repository.git('branch', 'old');
    await fetchIt();
    const third = repository.commit({ 'a.txt': 'three' });
    repository.git('branch', '-D', 'old');
    repository.git('branch', 'old/nested');
    await fetchIt();
    expect(await source.resolve('web', 'main')).toMatchObject({ commit: third });
    await expect(source.resolve('web', 'old')).rejects.toMatchObject({ type: 'RefUnknown' });

    repository.git('reset', '--quiet', '--hard', first);
    repository.git('checkout', '--quiet', '-b', 'trunk');
    await fetchIt();
    expect(await source.resolve('web', 'main')).toMatchObject({ commit: first });
    expect(await source.resolve('web', 'HEAD')).toMatchObject({ branch: 'trunk' });
    // A release that was built from it may have to be built again.
    expect(await source.resolve('web', third)).toMatchObject({ commit: third });
  });

  test('another URL is another source', async () => {
    await fetchIt();
    const other = makeRepository(join(folder, 'other'));
    const commit = other.commit({ 'c.txt': 'c' });
    await source.fetch('web', `file://${other.path}`);
    expect(await source.resolve('web', 'main')).toMatchObject({ commit });
  });
});

describe('export', () => {
  test('gives exactly the files of the commit', async () => {
    chmodSync(join(repository.path, 'bin/run'), 0o755);
    const commit = repository.commit({
      '.gitattributes': 'hidden export-ignore\n',
      hidden: 'not hidden',
      link: '-> folder/b.txt',
      'folder/up': '-> ../a.txt',
      'folder/not-yet': '-> ../built/later',
    });
    await fetchIt();
    repository.commit({ 'later.txt': 'later' });
    const to = out();
    await source.export('web', commit, to);
    expect(readdirSync(to).sort()).toEqual(['.gitattributes', 'a.txt', 'bin', 'folder', 'hidden', 'link']);
    expect(readFileSync(join(to, 'link'), 'utf8')).toBe('b');
    expect(statSync(join(to, 'bin/run')).mode & 0o111).toBe(0o111);
    expect(readdirSync(mirror()).filter((name) => name.startsWith('index'))).toEqual([]);
  });

  test.each([
    ['absolute', { link: '-> /etc/passwd' }],
    ['upwards', { 'folder/link': '-> ../../outside' }],
    ['upwards from the top', { link: '-> ..' }],
    ['by way of another link', { 'folder/up': '-> ..', 'folder/deeper/link': '-> ../up/../outside' }],
    ['to itself', { link: '-> link' }],
  ])('refuses a symbolic link that leads out: %s', async (_name, files) => {
    const commit = repository.commit(files);
    await fetchIt();
    await expect(source.export('web', commit, out())).rejects.toMatchObject({ type: 'BuildFailed' });
  });

  test('a commit that is not there', async () => {
    await fetchIt();
    await expect(source.export('web', 'e'.repeat(40), out())).rejects.toMatchObject({ type: 'RefUnknown' });
  });
});

describe('settings and hooks of others have no say', () => {
  test('a repository that belongs to another user', async () => {
    if (process.getuid?.() === 0) execFileSync('chown', ['-R', '65534:65534', repository.path]);
    await fetchIt();
    expect(await source.resolve('web', 'main')).toMatchObject({ commit: second });
  });

  test('the home folder of the user', async () => {
    const home = join(folder, 'home');
    makeRepository(home);
    writeFileSync(join(home, '.gitconfig'), `[url "/nowhere/"]\n  insteadOf = ${folder}/\n`);
    source = createGitSource({ root: join(folder, 'services'), env: { ...process.env, HOME: home } });
    await fetchIt();
    expect(await source.resolve('web', 'main')).toMatchObject({ commit: second });
  });

  test('transports that run commands', async () => {
    const marker = join(folder, 'ran');
    const refused = source.fetch('web', `ext::sh -c touch% ${marker}`);
    await expect(refused).rejects.toMatchObject({ type: 'SourceUnreachable' });
    expect(existsSync(marker)).toBe(false);
  });
});

describe('a fetch that was killed', () => {
  test('in its first run, leaving half a mirror', async () => {
    execFileSync('git', ['init', '--quiet', '--bare', `${mirror()}.partial`]);
    writeFileSync(`${mirror()}.partial/HEAD.lock`, '');
    await fetchIt();
    expect(await source.resolve('web', 'main')).toMatchObject({ commit: second });
    expect(existsSync(`${mirror()}.partial`)).toBe(false);
  });

  test('in a later run, leaving locks', async () => {
    await fetchIt();
    const third = repository.commit({ 'a.txt': 'three' });
    const locks = ['HEAD.lock', 'packed-refs.lock', 'config.lock', 'refs/heads/main.lock', 'refs/holdfast/head.lock'];
    for (const name of locks) writeFileSync(join(mirror(), name), '');
    await fetchIt();
    expect(await source.resolve('web', 'main')).toMatchObject({ commit: third });
  });

  test('while git itself lives on: it is ended first', async () => {
    const { spawn } = await import('node:child_process');
    await fetchIt();
    const left = spawn('sleep', ['100'], { env: { ...process.env, HOLDFAST_GIT: mirror() } });
    const ended = new Promise((resolve) => left.once('exit', (_code, signal) => resolve(signal)));
    await fetchIt();
    expect(await ended).toBe('SIGKILL');
  });

  test('or has lost objects: the mirror is made anew', async () => {
    await fetchIt();
    rmSync(join(mirror(), 'objects'), { recursive: true });
    await fetchIt();
    expect(await source.resolve('web', 'main')).toMatchObject({ commit: second });
  });

  test('by its caller', async () => {
    const hanging = createServer(() => undefined);
    const port = await listen(hanging);
    const began = Date.now();
    const url = `http://127.0.0.1:${port}/r.git`;
    const fetching = source.fetch('web', url, { signal: AbortSignal.timeout(300) });
    await expect(fetching).rejects.toMatchObject({ name: 'TimeoutError' });
    expect(Date.now() - began).toBeLessThan(5_000);
    hanging.closeAllConnections();
    hanging.close();
  });
});

describe('a source that cannot be read', () => {
  test.each([
    ['no such folder', () => join(folder, 'nowhere')],
    ['no repository', () => tmpdir()],
  ])('%s will not be there later either', async (_name, url) => {
    await expect(source.fetch('web', url())).rejects.toMatchObject({ type: 'SourceUnreachable' });
  });

  test('a network that is down may come back, and no password is in the error', async () => {
    const failed = await source.fetch('web', 'http://me:hunter2@127.0.0.1:9/r.git').catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(Error);
    expect(failed).not.toHaveProperty('type');
    expect(String(failed)).not.toContain('hunter2');
  });

  test('a source that fails leaves the mirror as it was', async () => {
    await fetchIt();
    await expect(source.fetch('web', join(folder, 'nowhere'))).rejects.toMatchObject({ type: 'SourceUnreachable' });
    expect(await source.resolve('web', 'main')).toMatchObject({ commit: second });
  });
});

describe('over HTTP with a password', () => {
  let server: Server;
  let port: number;
  beforeEach(async () => {
    repository.git('update-server-info');
    server = createServer((request, response) => {
      const expected = `Basic ${Buffer.from('me:p@ss/word').toString('base64')}`;
      if (request.headers.authorization !== expected) {
        response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end();
        return;
      }
      const path = join(repository.path, '.git', new URL(request.url ?? '', 'http://x').pathname);
      if (existsSync(path) && statSync(path).isFile()) response.end(readFileSync(path));
      else response.writeHead(404).end();
    });
    port = await listen(server);
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  test('the one in the URL is used, and kept from every command line', async () => {
    const seen: string[] = [];
    const watch = setInterval(() => seen.push(...commandLines()), 5);
    await source.fetch('web', `http://me:p%40ss%2Fword@127.0.0.1:${port}/`);
    clearInterval(watch);
    expect(await source.resolve('web', 'main')).toMatchObject({ commit: second });
    expect(seen.some((line) => line.includes('remote-http'))).toBe(true);
    expect(seen.filter((line) => /ss(\/|%2F)word/.test(line))).toEqual([]);
    expect(readFileSync(join(mirror(), 'config'), 'utf8')).not.toContain('word');
    expect(statSync(join(mirror(), 'holdfast-credential')).mode & 0o777).toBe(0o600);
  });

  test('a wrong one is permanent and in no error', async () => {
    const failed = source.fetch('web', `http://me:wrong-one@127.0.0.1:${port}/`);
    await expect(failed).rejects.toMatchObject({ type: 'SourceUnreachable' });
    await expect(failed).rejects.not.toThrow('wrong-one');
  });
});

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await until(() => server.listening);
  return (server.address() as AddressInfo).port;
}

function commandLines(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [readFileSync(`/proc/${pid}/cmdline`, 'utf8')];
      } catch {
        return [];
      }
    });
}
