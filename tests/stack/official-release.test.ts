import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { prepareDownloads, type Downloads } from '../../infra/stack/download/downloads.ts';
import { findInCache, officialRelease } from '../../infra/stack/download/official-release.ts';
import { builtTemporal } from '../../infra/stack/prerequisites.js';
import type { StackError } from '../../infra/stack/stack-error.ts';
import { findOrBuildTemporal } from '../../infra/stack/temporal/program.ts';
import type { Release } from '../../infra/stack/download/upstream.ts';
import { canMount, createFolder, createSmallDisk } from '../support/own-home.ts';
import { archiveOf, publishRelease, startReleaseServer, sumOf, type ReleaseServer } from '../support/release-server.ts';

const folder = createFolder();
let server: ReleaseServer;
let cache: string;
let program: string;
let said: string[];
let round = 0;

beforeEach(async () => {
  server = await startReleaseServer();
  said = [];
  cache = join(folder.path, `cache-${(round += 1)}`);
  program = join(cache, 'tool-1.2.3/tool');
});
afterEach(() => server.close());
afterAll(() => folder.remove());

function downloads({ enabled = true } = {}): Downloads {
  const { signal } = new AbortController();
  const limits = { answerMs: 2_000, idleMs: 2_000 };
  return prepareDownloads({ enabled, cache, say: (line) => said.push(line), signal, limits });
}

async function refusal(release: Release): Promise<Error> {
  const error = await officialRelease(release, program, downloads())().then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(existsSync(program)).toBe(false);
  return error as Error;
}

test('a program is unpacked and put in its place, with its sha256 beside it, and found there from then on', async () => {
  const found = await officialRelease(publishRelease(server, folder.path), program, downloads())();
  expect(found).toEqual({ path: program, origin: 'official release, version 1.2.3' });
  expect(execFileSync(program, ['--version'], { encoding: 'utf8' })).toBe('tool 1.2.3\n');
  expect(readFileSync(`${program}.sha256`, 'utf8').split('\n')[0]).toBe(sumOf(readFileSync(program)));
  expect(await findInCache(program)).toEqual(found);
  expect(readdirSync(cache).sort()).toEqual(['checksums', 'downloads', 'tool-1.2.3']);
});

test('two at once get the same, and neither harms the other', async () => {
  const release = publishRelease(server, folder.path);
  const way = officialRelease(release, program, downloads());
  const found = await Promise.all([way(), way(), way()]);
  expect(found.map((each) => each?.path)).toEqual([program, program, program]);
  expect(readdirSync(cache).sort()).toEqual(['checksums', 'downloads', 'tool-1.2.3']);
});

test('what is in its place and is not whole is replaced', async () => {
  mkdirSync(join(cache, 'tool-1.2.3'), { recursive: true });
  writeFileSync(program, 'half');
  expect(await findInCache(program)).toBeNull();
  const found = await officialRelease(publishRelease(server, folder.path), program, downloads())();
  expect(found?.path).toBe(program);
});

test('what one that was killed had unpacked is removed', async () => {
  mkdirSync(join(cache, 'tool-1.2.3.partial-4000000-1-0123abcd'), { recursive: true });
  await officialRelease(publishRelease(server, folder.path), program, downloads())();
  expect(readdirSync(cache)).not.toContainEqual(expect.stringContaining('partial'));
});

test('nobody is asked for anything when downloads are off, or where there is no release for the machine', async () => {
  const release = publishRelease(server, folder.path);
  expect(await officialRelease(release, program, downloads({ enabled: false }))()).toBeNull();
  expect(await officialRelease(null, program, downloads())()).toBeNull();
  expect(server.asked).toEqual([]);
});

describe('an archive that is not what it should be writes nothing anywhere', () => {
  /** Made by hand: no tar writes such names by itself. */
  function archive(...args: string[]): Buffer {
    const place = join(folder.path, `made-${round}`);
    mkdirSync(join(place, 'inner'), { recursive: true });
    writeFileSync(join(place, 'tool'), 'evil');
    writeFileSync(join(place, 'inner/tool'), 'evil');
    symlinkSync('/bin/sh', join(place, 'link'));
    execFileSync('tar', ['-czPf', join(place, 'x.tar.gz'), '-C', join(place, 'inner'), ...args]);
    return readFileSync(join(place, 'x.tar.gz'));
  }

  test.each([
    ['only paths outside', ['../tool', '/etc/hostname']],
    ['a link in the program’s place', ['--transform=s/link/tool/', '../link', '--strip-components=1']],
    ['another program', ['--transform=s/tool/other/', 'tool']],
  ])('%s', async (_, args) => {
    const release = publishRelease(server, folder.path, { archive: archive(...args) });
    const error = await refusal(release);
    expect(error.name).toBe('Untrusted');
    expect(error.message).toMatch(/^NOT USED: [^\n]+$/);
    expect(existsSync(join(cache, 'tool'))).toBe(false);
    expect(existsSync(join(cache, 'downloads/tool'))).toBe(false);
  });

  test('a path outside beside the program: that is not written', async () => {
    const place = join(folder.path, 'outside');
    mkdirSync(join(place, 'inner'), { recursive: true });
    writeFileSync(join(place, 'evil'), 'evil');
    writeFileSync(join(place, 'inner/tool'), '#!/bin/sh\necho tool 1.2.3\n', { mode: 0o755 });
    execFileSync('tar', ['-czPf', join(place, 'x.tar.gz'), '-C', join(place, 'inner'), '../evil', 'tool']);
    const release = publishRelease(server, folder.path, { archive: readFileSync(join(place, 'x.tar.gz')) });
    expect((await officialRelease(release, program, downloads())())?.path).toBe(program);
    expect(readdirSync(cache, { recursive: true })).not.toContainEqual(expect.stringContaining('evil'));
  });

  test('no archive at all', async () => {
    const error = await refusal(publishRelease(server, folder.path, { archive: Buffer.from('hello') }));
    expect(error.message).toMatch(/^NOT USED: tool cannot be unpacked: /);
  });
});

describe('a program that would not serve is not kept', () => {
  test.each([
    ['it does not run here', '#!/nowhere\n', 'tool 1.2.3 was downloaded and does not run on this machine'],
    ['it is another version', '#!/bin/sh\necho tool 9.9.9\nexit 0\n', 'tool 1.2.3 says that it is 9.9.9'],
  ])('%s', async (_, script, message) => {
    const archive = archiveOf(folder.path, 'tool', script, 1_000);
    expect((await refusal(publishRelease(server, folder.path, { archive }))).message).toBe(message);
  });
});

// Mounting needs rights that not every machine gives; download.test.ts has a full disk for every machine.
(canMount ? test : test.skip)('a disk that is full while unpacking is said', async () => {
  const disk = createSmallDisk(join(folder.path, 'small'), '3m');
  cache = join(folder.path, 'small/cache');
  program = join(cache, 'tool-1.2.3/tool');
  try {
    const release = publishRelease(server, folder.path, { paddingBytes: 2_000_000 });
    const error = await refusal(release);
    expect(error).toMatchObject({ name: 'StackError', message: expect.stringContaining('disk is full') as string });
    disk.change('size=20m');
    expect((await officialRelease(release, program, downloads())())?.path).toBe(program);
    expect(server.of(`/${release.key}`).map(({ sent }) => sent > 0)).toEqual([true, false]);
  } finally {
    disk.remove();
  }
});

describe('Temporal', () => {
  const usualPath = process.env['PATH'];
  const bin = join(folder.path, 'bin');

  /** A Go that builds at once what says that it was built. */
  function installGo(build: string): void {
    mkdirSync(bin, { recursive: true });
    const script = `#!/bin/sh\n[ "$1" = version ] && echo go version go1.25.0 linux/amd64 && exit 0\n${build}\n`;
    writeFileSync(join(bin, 'go'), script);
    chmodSync(join(bin, 'go'), 0o755);
    process.env['PATH'] = `${bin}:/usr/bin:/bin`;
  }
  const builds = `while [ "$1" != -o ]; do shift; done; echo '#!/bin/sh' > "$2"; chmod 755 "$2"`;
  afterEach(() => {
    process.env['PATH'] = usualPath;
  });

  const temporal = { program: 'temporal', version: builtTemporal };
  function published(): Release {
    return { ...publishRelease(server, folder.path, temporal), says: /temporal (\S+)/ };
  }

  test('is downloaded before it would be built, once', async () => {
    installGo('exit 1');
    const found = await findOrBuildTemporal(downloads(), published());
    expect(found.origin).toBe(`official release, version ${builtTemporal}`);
    expect(await findOrBuildTemporal(downloads({ enabled: false }), null)).toEqual(found);
  });

  test('is built where nothing can be downloaded', async () => {
    installGo(builds);
    const release = published();
    await server.close();
    const found = await findOrBuildTemporal(downloads(), release);
    expect(found.origin).toBe(`built from source, version ${builtTemporal}`);
    expect(said.filter((line) => line.includes('cannot be reached'))).toHaveLength(1);
    server = await startReleaseServer();
  });

  test('is built, loudly, when the download is not to be trusted', async () => {
    installGo(builds);
    const release = published();
    server.files.set('/checksums.txt', { body: Buffer.from(`${'1'.repeat(64)}  ${release.checksum.name}\n`) });
    const found = await findOrBuildTemporal(downloads(), release);
    expect(found.origin).toContain('built from source');
    expect(said).toContainEqual(expect.stringMatching(/^NOT USED: .*has the checksum/));
  });

  test('that cannot be had in any way says why each was closed', async () => {
    installGo('echo broken >&2; exit 1');
    const release = published();
    server.files.set('/checksums.txt', { body: Buffer.from(`${'1'.repeat(64)}  ${release.checksum.name}\n`) });
    const error = (await findOrBuildTemporal(downloads(), release).catch((reason: unknown) => reason)) as StackError;
    expect(error.name).toBe('StackError');
    expect(error.message).toMatch(/^No Temporal can be had: NOT USED: .*; Temporal could not be built: broken$/);
    expect(error.advice).toContain('TEMPORAL_ADDRESS');
  });
});
