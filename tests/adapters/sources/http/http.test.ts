import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import type { HttpSource } from '../../../../domain/project/source.ts';
import { openData, startSourceProject, type SourceProject } from '../source-project.ts';

interface Page {
  readonly status?: number;
  readonly body?: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

let data: Awaited<ReturnType<typeof openData>>;
let at: SourceProject;
let server: Server;
let host: string;
let pages: Record<string, Page | ((request: IncomingMessage, response: ServerResponse) => void)>;
let asked: { path: string; headers: IncomingMessage['headers'] }[];

beforeAll(async () => {
  data = await openData();
  server = createServer((request, response) => {
    const path = request.url ?? '';
    asked.push({ path, headers: request.headers });
    const page = pages[path] ?? { status: 404 };
    if (typeof page === 'function') {
      page(request, response);
      return;
    }
    const etag = page.headers?.['etag'];
    const unchanged = etag !== undefined && request.headers['if-none-match'] === etag;
    response.writeHead(unchanged ? 304 : (page.status ?? 200), {
      'content-type': 'text/html; charset=utf-8',
      ...page.headers,
    });
    response.end(unchanged ? undefined : page.body);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  host = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await data.close();
});
beforeEach(async () => {
  [pages, asked] = [{}, []];
  at = await startSourceProject(data.sql);
});
afterEach(() => at.close());

const limits = { max_file_bytes: 10_000, max_files: 100, max_bytes: 1_000_000 };
const spec = (urls: readonly string[], more: object = {}): HttpSource => ({
  ...{
    kind: 'http',
    name: 'notes',
    urls: urls.map((path) => host + path),
    sitemap: null,
    include: ['**'],
    exclude: [],
  },
  ...{ limits, allow_private: true },
  ...more,
});
const mapped = (path: string, more: object = {}) => spec([], { sitemap: host + path, ...more });
const folder = () => host.replace('http://', '').replace(':', '_');
const paths = async () => (await at.items()).map((path) => path.replace(`${folder()}/`, ''));
const urlset = (...locations: string[]) =>
  `<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">${locations.map((loc) => `<url><loc>${loc}</loc></url>`).join('')}</urlset>`;

test('W3 pages by their addresses, with what the server says they are; kept as they were listed', async () => {
  pages['/'] = { body: '<h1>home</h1>' };
  pages['/guide/caf%C3%A9?v=1'] = { body: 'text', headers: { 'content-type': 'text/plain' } };
  await at.list(spec(['/', '/guide/caf%C3%A9?v=1']));
  expect(await paths()).toEqual(['guide/café?v=1', 'index.html']);
  const rows =
    await at.sql`select uri, media_type, bytes::int from source_items where project = ${at.project} order by path`;
  expect(rows).toEqual([
    { uri: `${host}/guide/caf%C3%A9?v=1`, media_type: 'text/plain', bytes: 4 },
    { uri: `${host}/`, media_type: 'text/html', bytes: 13 },
  ]);
  const { wave_id } = await at.plan();
  pages = {};
  expect(await at.stage(spec(['/']), wave_id)).toMatchObject({ staged: 2, copied: 0, missing: 0 });
});

test('W6 an unchanged page is asked for by its ETag or its date, and not sent again; a changed one is', async () => {
  pages['/a'] = { body: 'a', headers: { etag: '"1"' } };
  pages['/b'] = { body: 'b' };
  const source = spec(['/a', '/b']);
  expect((await at.list(source)).read).toBe(2);
  expect((await at.list(source)).read).toBe(1);
  expect(asked.filter(({ path }) => path === '/a')[1]?.headers['if-none-match']).toBe('"1"');
  const before =
    await at.sql`select path, encode(sha256, 'hex') as sha from source_items where project = ${at.project} order by path`;
  pages['/a'] = { body: 'A', headers: { etag: '"2"', 'last-modified': 'Wed, 21 Oct 2025 07:28:00 GMT' } };
  expect((await at.list(source)).read).toBe(2);
  const after =
    await at.sql`select path, encode(sha256, 'hex') as sha from source_items where project = ${at.project} order by path`;
  expect(after[0]?.['sha']).not.toBe(before[0]?.['sha']);
  await at.list(source);
  expect(asked.filter(({ path }) => path === '/a').at(-1)?.headers).toMatchObject({
    'if-none-match': '"2"',
    'if-modified-since': 'Wed, 21 Oct 2025 07:28:00 GMT',
  });
});

test('W6 a page that is gone is removed; a server that refuses or fails ends the listing, and nothing looks deleted', async () => {
  pages = { '/a': { body: 'a' }, '/b': { body: 'b' }, '/c': { body: 'c' } };
  const source = spec(['/a', '/b', '/c']);
  await at.list(source);
  pages['/b'] = { status: 403 };
  await expect(at.list(source)).rejects.toMatchObject({
    type: 'SourceUnreachable',
    message: expect.stringContaining('403') as string,
  });
  pages['/b'] = (request) => void request.socket.destroy();
  await expect(at.list(source)).rejects.toThrow(/cannot be read/);
  expect(await paths()).toEqual(['a', 'b', 'c']);
  pages['/b'] = { status: 410 };
  await at.list(source);
  expect(await paths()).toEqual(['a', 'c']);
}, 60_000);

test('W3 what may pass is tried again, as late as the server asks', async () => {
  let tries = 0;
  pages['/a'] = (_request, response) => {
    tries += 1;
    if (tries === 1) response.writeHead(429, { 'retry-after': '1' }).end();
    else if (tries === 2) response.writeHead(503).end();
    else response.end('a');
  };
  expect(await at.list(spec(['/a']))).toMatchObject({ items: 1 });
  expect(tries).toBe(3);
});

test('W3 a sitemap, packed or not, and the sitemaps of an index; other hosts are left out and counted', async () => {
  pages['/index.xml'] = {
    body: `<sitemapindex><sitemap><loc>${host}/one.xml</loc></sitemap><sitemap><loc>${host}/two.xml.gz</loc></sitemap><sitemap><loc>${host}/index.xml</loc></sitemap></sitemapindex>`,
  };
  pages['/one.xml'] = {
    body: urlset(`${host}/a?x=1&amp;y=2`, `${host}/b#part`, 'https://example.org/other', 'mailto:x@example.org'),
  };
  pages['/two.xml.gz'] = {
    body: gzipSync(urlset(`${host}/b`, `${host}/docs/c`)),
    headers: { 'content-type': 'application/gzip' },
  };
  for (const path of ['/a?x=1&y=2', '/b', '/docs/c']) pages[path] = { body: path };
  const listing = await at.list(mapped('/index.xml'));
  expect(await paths()).toEqual(['a?x=1&y=2', 'b', 'docs/c']);
  expect(listing.skipped).toEqual({ other_host: { count: 1, examples: ['https://example.org/other'] } });
  await at.list(mapped('/index.xml', { exclude: ['*/docs/**'] }));
  expect(await paths()).toEqual(['a?x=1&y=2', 'b']);
});

test('W6 a sitemap that is gone, broken, bloated or of half its parts ends the listing', async () => {
  pages['/good.xml'] = { body: urlset(`${host}/a`) };
  pages['/a'] = { body: 'a' };
  await at.list(mapped('/good.xml'));
  const bomb = gzipSync(Buffer.alloc(60_000_000));
  const bad: Record<string, Page> = {
    '/gone.xml': { status: 404 },
    '/broken.xml': { body: '<urlset><url>' },
    '/page.xml': { body: '<html></html>' },
    '/bomb.xml': { body: bomb },
    '/laughs.xml': { body: '<!DOCTYPE x [<!ENTITY a "b">]><urlset><url><loc>&a;</loc></url></urlset>' },
    '/half.xml': {
      body: `<sitemapindex><sitemap><loc>${host}/good.xml</loc></sitemap><sitemap><loc>${host}/lost.xml</loc></sitemap></sitemapindex>`,
    },
    '/away.xml': { body: '<sitemapindex><sitemap><loc>https://example.org/s.xml</loc></sitemap></sitemapindex>' },
  };
  Object.assign(pages, bad);
  for (const path of Object.keys(bad))
    await expect(at.list(mapped(path))).rejects.toMatchObject({ type: 'SourceUnreachable' });
  expect(await paths()).toEqual(['a']);
});

test('W3 private addresses are not asked unless the source says so, by name, by number, or through a redirect', async () => {
  pages['/a'] = { body: 'a' };
  const { port } = new URL(host);
  const names = ['127.0.0.1', 'localhost', '[::1]', '0x7f.1', '169.254.169.254', '10.0.0.1', '[::ffff:127.0.0.1]'];
  for (const name of names) {
    const source = spec([], { urls: [`http://${name}:${port}/a`], allow_private: false });
    await expect(at.list(source)).rejects.toMatchObject({ type: 'SourceRefused' });
  }
  expect(asked).toEqual([]);
});

test('W3 redirects are followed, but to nowhere else than the web, and not for ever', async () => {
  pages['/a'] = { status: 302, headers: { location: '/b' } };
  pages['/b'] = { status: 301, headers: { location: `${host}/c` } };
  pages['/c'] = { body: 'c' };
  await at.list(spec(['/a']));
  expect(await paths()).toEqual(['a']);
  pages['/loop'] = { status: 302, headers: { location: '/loop' } };
  await expect(at.list(spec(['/loop']))).rejects.toMatchObject({ type: 'SourceUnreachable' });
  pages['/file'] = { status: 302, headers: { location: 'file:///etc/passwd' } };
  await expect(at.list(spec(['/file']))).rejects.toMatchObject({ type: 'SourceRefused' });
});

test('W3 a page that is too large, also once it is unpacked, is left out and named', async () => {
  pages['/a'] = { body: 'a' };
  pages['/large'] = { body: 'x'.repeat(10_001) };
  pages['/bomb'] = { body: gzipSync(Buffer.alloc(5_000_000)), headers: { 'content-encoding': 'gzip' } };
  pages['/packed'] = { body: gzipSync('packed'), headers: { 'content-encoding': 'gzip' } };
  const { skipped } = await at.list(spec(['/a', '/large', '/bomb', '/packed']));
  expect(await paths()).toEqual(['a', 'packed']);
  expect(skipped.too_large).toMatchObject({ count: 2 });
  const rows = await at.sql`select bytes::int from source_items where project = ${at.project} and path like '%packed'`;
  expect(rows).toEqual([{ bytes: 6 }]);
});

test('W3 no room on the disk ends the listing before a page is kept', async () => {
  pages['/a'] = { body: 'a' };
  at.free = 1_000_000;
  await expect(at.list(spec(['/a']))).rejects.toMatchObject({ type: 'NoRoom' });
  expect(asked).toEqual([]);
});
