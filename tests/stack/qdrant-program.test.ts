import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { prepareDownloads } from '../../infra/stack/download/downloads.ts';
import { findQdrant, qdrantProgramWays } from '../../infra/stack/qdrant/program.ts';
import { StackError } from '../../infra/stack/stack-error.ts';
import { pinnedQdrant, type Release } from '../../infra/stack/download/upstream.ts';
import { firstFound, type Found, type Way } from '../../infra/stack/ways.ts';
import { createFolder } from '../support/own-home.ts';
import { publishRelease, startReleaseServer, sumOf, type ReleaseServer } from '../support/release-server.ts';

const folder = createFolder();
const usualPath = process.env['PATH'];
const embedded: Found = { path: 'embedded', origin: 'the last way' };
let server: ReleaseServer;
let cache: string;
let said: string[];
let round = 0;

beforeEach(async () => {
  server = await startReleaseServer();
  said = [];
  cache = join(folder.path, `cache-${(round += 1)}`);
  process.env['PATH'] = join(folder.path, `bin-${round}`);
});
afterEach(() => {
  process.env['PATH'] = usualPath;
  return server.close();
});
afterAll(() => folder.remove());

/** A `qdrant` on PATH that prints this when it is asked for its version. */
function installQdrant(says: string): string {
  const bin = process.env['PATH'] ?? '';
  mkdirSync(bin);
  writeFileSync(join(bin, 'qdrant'), `#!/bin/sh\necho '${says}'\n`, { mode: 0o755 });
  return join(bin, 'qdrant');
}

/** As it is published: its checksum is what the forge says about the asset. */
function published(digest = (body: Buffer): string | null => `sha256:${sumOf(body)}`): Release {
  const release = publishRelease(server, folder.path, { program: 'qdrant', version: pinnedQdrant });
  const body = server.files.get(`/${release.key}`)?.body ?? Buffer.alloc(0);
  const assets = [
    { name: 'other.deb', digest: `sha256:${'0'.repeat(64)}` },
    { name: release.key, digest: digest(body) },
  ];
  server.files.set('/release', { body: Buffer.from(JSON.stringify({ tag_name: `v${pinnedQdrant}`, assets })) });
  const checksum = { kind: 'asset digest', url: `${server.url}/release`, name: release.key } as const;
  return { ...release, checksum };
}

function find(release: Release | null, ...others: readonly Way[]): Promise<Found> {
  const say = (line: string): void => void said.push(line);
  const { signal } = new AbortController();
  const downloads = prepareDownloads({ enabled: true, cache, say, signal, limits: { answerMs: 2_000 } });
  const otherwise = (closed: readonly string[]): StackError => new StackError(closed.join('; '), 'advice');
  return firstFound([...qdrantProgramWays(downloads, release), ...others], { say, otherwise });
}

const last: Way = async () => embedded;

test.each(['1.17.0', '1.18.9'])('one on PATH of version %s is used, and nothing is downloaded', async (version) => {
  const path = installQdrant(`qdrant ${version}`);
  const found = { path, origin: `on PATH, version ${version}` };
  expect(await find(published())).toEqual(found);
  expect(await findQdrant(cache)).toEqual(found);
  expect(server.asked).toEqual([]);
});

test.each([
  ['qdrant 1.16.3', 'is 1.16.3, not 1.17 or 1.18, so it is passed over'],
  ['qdrant 1.170.0', 'is 1.170.0, not 1.17 or 1.18, so it is passed over'],
  ['hello', 'does not say which version it is, so it is passed over'],
])('one on PATH that says `%s` is passed over, and that is said', async (says, reason) => {
  const path = installQdrant(says);
  expect((await find(published())).origin).toBe(`official release, version ${pinnedQdrant}`);
  expect(said[0]).toBe(`${path} ${reason}`);
  expect((await findQdrant(cache))?.path).toBe(join(cache, `qdrant-${pinnedQdrant}/qdrant`));
});

test('the official release is downloaded once, by the digest that the forge has of it', async () => {
  const found = await find(published());
  expect(found).toEqual({
    path: join(cache, `qdrant-${pinnedQdrant}/qdrant`),
    origin: `official release, version ${pinnedQdrant}`,
  });
  expect(await find(null)).toEqual(found);
  expect(server.of('/release')).toHaveLength(1);
});

test.each([
  ['no digest', null],
  ['a digest of another kind', 'md5:0123'],
])('where the forge has %s of it, it is not downloaded', async (_, digest) => {
  expect(
    await find(
      published(() => digest),
      last,
    ),
  ).toBe(embedded);
  expect(said).toEqual([expect.stringMatching(/names no checksum of qdrant/)]);
  expect(server.asked.map(({ path }) => path)).toEqual(['/release']);
});

test('where nothing can be downloaded, or it is not to be trusted, the next way is taken; with none left it says why', async () => {
  const wrong = published(() => `sha256:${'1'.repeat(64)}`);
  expect(await find(wrong, last)).toBe(embedded);
  expect(said).toContainEqual(expect.stringMatching(/^NOT USED: qdrant .* has the checksum/));
  await server.close();
  expect(await find(wrong, last)).toBe(embedded);
  await expect(find(wrong)).rejects.toThrow(/cannot be reached: the connection is refused$/);
  server = await startReleaseServer();
});
