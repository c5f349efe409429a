import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { prepareDownloads, type Downloads } from '../../infra/stack/download/downloads.ts';
import { withTrustedDownload } from '../../infra/stack/download/trusted-download.ts';
import type { UpstreamFile } from '../../infra/stack/download/upstream.ts';
import { compileTree } from '../support/compile.ts';
import { canMount, createFolder, createSmallDisk } from '../support/own-home.ts';
import { startReleaseServer, sumOf, type ReleaseServer } from '../support/release-server.ts';

const folder = createFolder();
const body = randomBytes(3_000_000);
const half = 1_500_000;
let server: ReleaseServer;
let cache: string;
let said: string[];
let stop: AbortController;
let round = 0;

beforeEach(async () => {
  server = await startReleaseServer();
  cache = join(folder.path, `cache-${(round += 1)}`);
  said = [];
  stop = new AbortController();
  publish(body);
});
afterEach(() => server.close());
afterAll(() => folder.remove());

/** Of what it should be; the bytes may be others. */
function publish(promised: Buffer): void {
  server.files.set('/file', { body });
  server.files.set('/sums', { body: Buffer.from(`${sumOf(promised)}  file\n`) });
}

function file(at = server.url): UpstreamFile {
  const checksum = { kind: 'checksum file', url: `${at}/sums`, name: 'file' } as const;
  return { title: 'The file', key: 'file-1', url: `${at}/file`, checksum };
}

function downloads(limits: Partial<Downloads['limits']> = {}): Downloads {
  const usual = { answerMs: 2_000, idleMs: 2_000, ...limits };
  return prepareDownloads({ enabled: true, cache, say: (line) => said.push(line), signal: stop.signal, limits: usual });
}

/** What was handed over, as it was then. */
async function fetched(how = downloads(), what = file()): Promise<Buffer> {
  const seen: Buffer[] = [];
  await withTrustedDownload(what, how, async (path) => void seen.push(readFileSync(path)));
  return Buffer.concat(seen);
}

/** One line, and nothing was handed over. */
async function refusal(how = downloads(), what = file()): Promise<Error> {
  let used = false;
  const error = await withTrustedDownload(what, how, async () => void (used = true)).then(
    () => null,
    (reason: unknown) => reason as Error,
  );
  expect(used).toBe(false);
  expect(error?.message).toMatch(/^[^\n]+$/);
  return error as Error;
}

function left(): string[] {
  return readdirSync(join(cache, 'downloads'));
}

test('what has its publisher’s checksum is handed over, its checksum recorded, and nothing is left', async () => {
  expect((await fetched()).equals(body)).toBe(true);
  expect(readFileSync(join(cache, 'checksums/file-1'), 'utf8')).toBe(`sha256:${sumOf(body)}\n`);
  expect(left()).toEqual([]);
  expect(said).toEqual(['downloading The file, once']);
});

describe('bytes that are not those that were promised are never used', () => {
  test('another checksum than the publisher’s', async () => {
    publish(randomBytes(10));
    const error = await refusal();
    expect(error.name).toBe('Untrusted');
    expect(error.message).toContain(`NOT USED: The file from 127.0.0.1`);
    expect(error.message).toContain(sumOf(body));
    expect(left()).toEqual([]);
    expect(existsSync(join(cache, 'checksums'))).toBe(false);
  });

  test('a checksum that changed since it was first used, though the bytes have it', async () => {
    await fetched();
    const other = randomBytes(1_000);
    server.files.set('/file', { body: other });
    server.files.set('/sums', { body: Buffer.from(`${sumOf(other)}  file\n`) });
    const error = await refusal();
    expect(error.name).toBe('Untrusted');
    expect(error.message).toMatch(/attack or a mistake.*remove .*checksums\/file-1$/);
    expect(server.of('/file')).toHaveLength(1);
    expect(readFileSync(join(cache, 'checksums/file-1'), 'utf8')).toContain(sumOf(body));
  });

  test.each([
    ['no checksum file', null],
    ['one that names other files', 'a  b\n'],
    ['one that names it with something else than a checksum', 'xyz  file\n'],
    ['a page of a network that wants a login', '<html>Welcome</html>'],
  ])('%s', async (_, sums) => {
    if (sums === null) server.files.delete('/sums');
    else server.files.set('/sums', { body: Buffer.from(sums) });
    const error = await refusal();
    expect(error.name).toBe('WayClosed');
    expect(error.message).toMatch(/checksum of file/);
    expect(server.of('/file')).toEqual([]);
  });

  test('half a file that is sent as if it were all of it', async () => {
    server.files.set('/file', { body: body.subarray(0, half) });
    expect((await refusal()).name).toBe('Untrusted');
  });

  test('half a file of a connection that breaks off whenever it is asked', async () => {
    server.files.set('/file', { body, ranges: false, cut: { after: half, times: 100 } });
    expect((await refusal()).message).toBe('The file was interrupted: the connection was broken off');
    expect(server.of('/file')).toHaveLength(6);
  });

  test('the first part of an earlier file is not joined to the rest of another one', async () => {
    server.files.set('/file', { body: randomBytes(3_000_000), stallAfter: 1 });
    await refusal(downloads({ idleMs: 300 }));
    server.files.set('/file', { body });
    expect((await fetched()).equals(body)).toBe(true);
    expect(server.of('/file').at(-1)?.ifRange).toMatch(/^"[0-9a-f]{64}"$/);
  });
});

describe('what was interrupted goes on where it was', () => {
  /** Where the last request began, and that only the rest was sent. */
  function expectOnlyTheRest(atLeast: number): void {
    const last = server.of('/file').at(-1);
    const start = Number(/^bytes=(\d+)-$/.exec(last?.range ?? '')?.[1] ?? 0);
    expect(start).toBeGreaterThanOrEqual(atLeast);
    expect(last?.sent).toBe(body.length - start);
  }

  test('at once, when the connection breaks off', async () => {
    server.files.set('/file', { body, cut: { after: half, times: 1 } });
    expect((await fetched()).equals(body)).toBe(true);
    expectOnlyTheRest(65_536);
    expect(said).toContain('The file was interrupted: the connection was broken off; going on');
  });

  test('in the next run, when nothing came for too long', async () => {
    server.files.set('/file', { body, stallAfter: 1 });
    const error = await refusal(downloads({ idleMs: 300 }));
    expect(error.message).toBe('The file was interrupted: nothing came for 0.3 s');
    server.files.set('/file', { body });
    expect((await fetched()).equals(body)).toBe(true);
    expectOnlyTheRest(65_536);
    expect(left()).toEqual([]);
  });

  test('in the next run, when it was told to stop', async () => {
    server.files.set('/file', { body, pauseMs: 20 });
    const running = fetched(downloads({ progressMs: 1 }));
    while (said.length < 5) await sleep(5);
    stop.abort(new Error('Ctrl-C'));
    await expect(running).rejects.toThrow('Ctrl-C');
    stop = new AbortController();
    server.files.set('/file', { body });
    expect((await fetched()).equals(body)).toBe(true);
    expectOnlyTheRest(65_536);
  });

  test('in another process, after a SIGKILL in the middle', async () => {
    server.files.set('/file', { body, pauseMs: 20 });
    const child = startChild();
    while ((server.of('/file')[0]?.sent ?? 0) < half) await sleep(5);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(left()).toHaveLength(1);
    server.files.set('/file', { body });
    expect((await fetched()).equals(body)).toBe(true);
    expectOnlyTheRest(half / 2);
    expect(left()).toEqual([]);
  }, 30_000);

  test('not what a living process works on: two at once do not harm each other', async () => {
    server.files.set('/file', { body, pauseMs: 10 });
    const child = startChild();
    while ((server.of('/file')[0]?.sent ?? 0) < half) await sleep(5);
    const [here, there, code] = await Promise.all([fetched(), fetched(), exitOf(child)]);
    expect([here.equals(body), there.equals(body), code]).toEqual([true, true, 0]);
    expect(server.of('/file').map(({ range }) => range)).toEqual([null, null, null]);
    expect(left()).toEqual([]);
  }, 30_000);

  test('from the start, when the server knows no ranges', async () => {
    server.files.set('/file', { body, ranges: false, cut: { after: half, times: 1 } });
    expect((await fetched()).equals(body)).toBe(true);
    expect(server.of('/file').map(({ sent }) => sent)).toEqual([half, body.length]);
  });

  test('from the start, when nothing says that it is the same file still', async () => {
    server.files.set('/file', { body, etag: null, cut: { after: half, times: 1 } });
    expect((await fetched()).equals(body)).toBe(true);
    expect(server.of('/file').map(({ range }) => range)).toEqual([null, null]);
  });

  test('from the start, once, when what was kept is not what came: a power cut is no attack', async () => {
    server.files.set('/file', { body, stallAfter: 1 });
    await refusal(downloads({ idleMs: 300 }));
    const [kept = ''] = left();
    writeFileSync(join(cache, 'downloads', kept, 'data'), Buffer.alloc(100_000));
    server.files.set('/file', { body });
    expect((await fetched()).equals(body)).toBe(true);
  });

  test('not at all, when all of it came and only its use was interrupted', async () => {
    await expect(
      withTrustedDownload(file(), downloads(), async () => Promise.reject(new Error('stopped'))),
    ).rejects.toThrow('stopped');
    expect((await fetched()).equals(body)).toBe(true);
    expect(server.of('/file').map(({ sent }) => sent)).toEqual([body.length, 0]);
  });

  async function exitOf(child: ChildProcess): Promise<unknown> {
    const [code] = (await once(child, 'exit')) as unknown[];
    return code;
  }

  /** Downloads the same file into the same cache. */
  function startChild(): ChildProcess {
    const load = (name: string): string => JSON.stringify(pathToFileURL(compileTree().program(name)).href);
    const script = `import { prepareDownloads } from ${load('infra/stack/download/downloads.js')};
      import { withTrustedDownload } from ${load('infra/stack/download/trusted-download.js')};
      const signal = new AbortController().signal;
      const downloads = prepareDownloads({ enabled: true, cache: ${JSON.stringify(cache)}, say: () => {}, signal });
      await withTrustedDownload(${JSON.stringify(file())}, downloads, async () => {});`;
    return spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' });
  }
});

describe('where nothing can be downloaded that is said in one line, at once', () => {
  test('the connection is refused; the host is not asked again', async () => {
    const { url } = server;
    await server.close();
    const how = downloads();
    expect((await refusal(how, file(url))).message).toMatch(/^127\.0\.0\.1:\d+ cannot be reached: .*refused$/);
    server = await startReleaseServer();
    const again = { ...file(), checksum: { ...file().checksum, url: `${url}/sums` } };
    expect((await refusal(how, again)).message).toMatch(/refused$/);
  });

  test('its name is not known', async () => {
    expect((await refusal(downloads(), file('http://holdfast.invalid'))).message).toMatch(
      /^holdfast\.invalid cannot be reached: /,
    );
  });

  test('nobody answers', async () => {
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const at = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const how = downloads({ answerMs: 200 });
    let connections = 0;
    silent.on('connection', () => (connections += 1));
    expect((await refusal(how, file(at))).message).toContain('no answer in 0.2 s');
    expect((await refusal(how, file(at))).message).toContain('no answer in 0.2 s');
    expect(connections).toBe(1);
    silent.closeAllConnections();
    silent.close();
  });

  test.each([403, 404, 429, 500])('a proxy or a server answers %d', async (status) => {
    server.files.set('/sums', { body, status });
    expect((await refusal()).message).toContain(`127.0.0.1:${new URL(server.url).port} answered ${status}`);
    publish(body);
    server.files.set('/file', { body, status });
    expect((await refusal()).message).toContain(`cannot be downloaded: 127.0.0.1:${new URL(server.url).port} answered`);
  });
});

test('a proxy that wants a password is a host that cannot be reached', async () => {
  server.files.set('/sums', { body, status: 407 });
  expect((await refusal()).message).toMatch(/^127\.0\.0\.1:\d+ cannot be reached: its answer cannot be used$/);
});

describe('bounds', () => {
  test('a download that takes too long in all is ended', async () => {
    server.files.set('/file', { body, pauseMs: 50 });
    expect((await refusal(downloads({ totalMs: 300 }))).message).toMatch(/took longer than/);
  });

  test('a file without an end does not fill the disk', async () => {
    expect((await refusal(downloads({ mostBytes: 1_000_000 }))).message).toBe('The file is larger than 1.0 MB');
  });

  test('a checksum file without an end is not read to it', async () => {
    server.files.set('/sums', { body: Buffer.alloc(6_000_000, 'x') });
    expect((await refusal()).message).toContain('too large');
  });

  test('what takes a while says how far it is', async () => {
    server.files.set('/file', { body, pauseMs: 10 });
    await fetched(downloads({ progressMs: 50 }));
    expect(said).toContainEqual(expect.stringMatching(/^The file: \d\.\d MB of 2\.9 MB$/));
  });
});

describe('redirects', () => {
  test('are followed, also when a download goes on', async () => {
    server.files.set('/moved', { body, redirect: '/file' });
    server.files.set('/file', { body, cut: { after: half, times: 1 } });
    const what = { ...file(), url: `${server.url}/moved` };
    expect((await fetched(downloads(), what)).equals(body)).toBe(true);
    expect(server.of('/moved')).toHaveLength(2);
    expect(server.of('/file').at(-1)?.range).toMatch(/^bytes=[1-9]/);
  });

  test.each([
    ['to themselves', '/file', /without an end/],
    ['to another protocol', 'ftp://127.0.0.1/file', /leads to ftp:/],
  ])('%s are not', async (_, redirect, said) => {
    server.files.set('/file', { body, redirect });
    expect((await refusal()).message).toMatch(said);
  });
});

describe('a full disk is said, and after there is room it goes on', () => {
  const full = { name: 'StackError', message: 'The disk is full while downloading The file' };

  test('wherever the file would be', async () => {
    const kept = join(cache, 'downloads/file-1.partial-0-0-00000000');
    mkdirSync(kept, { recursive: true });
    symlinkSync('/dev/full', join(kept, 'data'));
    expect(await refusal()).toMatchObject(full);
  });

  // Mounting needs rights that not every machine gives; the test before this one runs everywhere.
  (canMount ? test : test.skip)('on a disk of 2 MB', async () => {
    const place = join(folder.path, 'small');
    const disk = createSmallDisk(place, '2m');
    cache = join(place, 'cache');
    try {
      const error = await refusal();
      expect(error).toMatchObject({ ...full, advice: expect.stringContaining('it goes on') as string });
      disk.change('size=20m');
      expect((await fetched()).equals(body)).toBe(true);
      expect(server.of('/file').at(-1)?.range).toMatch(/^bytes=[1-9]/);
    } finally {
      disk.remove();
    }
  });
});
