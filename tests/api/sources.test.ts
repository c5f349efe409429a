import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { connect as openSocket } from 'node:net';
import { join } from 'node:path';
import { foundProjectSchema } from '../../domain/project/schemas.ts';
import { sourceStatusesSchema } from '../../domain/source/status.ts';
import { uploadSchema } from '../../domain/source/upload.ts';
import { zipOf } from '../adapters/staging/zip-of.ts';
import { startApi, type TestApi } from './start-api.ts';

let api: TestApi;
let project: string;
beforeAll(async () => (api = await startApi()));
afterAll(() => api.close());

let count = 0;
beforeEach(async () => (project = await registered()));

/** A project of this box with a source of kind upload that takes small Markdown files, and a folder. */
async function registered(spec: object = {}): Promise<string> {
  const name = `s${(count += 1)}-project`;
  const limits = { max_file_bytes: 1_000, max_files: 5, max_bytes: 3_000 };
  const sources = [
    { kind: 'upload', name: 'files', include: ['**/*.md'], limits },
    { kind: 'git', name: 'code', url: 'https://example.org/code.git' },
  ];
  const body = { project: name, spec: { title: 'T', aliases: [`Alias ${name}`], sources, ...spec } };
  const proposal = await api.ask('POST', '/v1/projects/proposals', { body, token: api.tokens.agent });
  const approved = await api.ask('POST', `/v1/projects/proposals/${proposal.body.id}/approve`, { body: {} });
  expect([approved.status, approved.text]).toEqual([200, expect.any(String)]);
  return name;
}

const filesPath = (source = 'files', of = project) => `/v1/projects/${encodeURIComponent(of)}/sources/${source}/files`;

interface Sent {
  readonly status: number;
  readonly text: string;
  readonly kind: string;
}

async function upload(
  query: string,
  content: string | Buffer,
  { path = filesPath(), token = api.tokens.operator } = {},
): Promise<Sent> {
  const answer = await fetch(`${api.url}${path}?${query}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' },
    body: content as never,
  });
  const text = await answer.text();
  const { type = '' } = JSON.parse(text) as { type?: string };
  return { status: answer.status, text, kind: type.replace('urn:holdfast:problem:', '') };
}

const listed = async () => {
  const { body } = await api.ask('GET', filesPath());
  return (body.items as unknown as { path: string }[]).map(({ path }) => path);
};
const sha256 = (content: string) => createHash('sha256').update(content).digest('hex');

test('W3 a file is uploaded, listed, replaced and removed; its bytes are under their hash; each is in the audit', async () => {
  const sent = await upload('path=notes/lan.md', 'first');
  expect([sent.status, uploadSchema.parse(JSON.parse(sent.text))]).toEqual([
    201,
    { project, resolved_by: 'id', source: 'files', files: 1, bytes: 5, left_out: 0 },
  ]);
  expect((await upload('path=notes/lan.md', 'second')).status).toBe(201);
  const { body } = await api.ask('GET', filesPath());
  expect(body.items).toMatchObject([{ path: 'notes/lan.md', sha256: sha256('second'), bytes: 6, actor: 'operator' }]);
  expect(existsSync(join(api.home, 'staged', sha256('second').slice(0, 2), sha256('second')))).toBe(true);
  const removal = () => api.ask('DELETE', `${filesPath()}?path=notes/lan.md`);
  expect([(await removal()).status, (await removal()).status]).toEqual([204, 404]);
  const events = await api.ask('GET', `/v1/events?subject=project/${project}&limit=200`);
  const types = events.body.items.map(({ type }) => type).filter((type) => type.startsWith('source.'));
  expect(types).toEqual(['source.uploaded', 'source.uploaded', 'source.file_removed']);
});

test('W1 the alias of a project leads to its source', async () => {
  const sent = await upload('path=a.md', 'a', { path: filesPath('files', `alias ${project}`) });
  expect(uploadSchema.parse(JSON.parse(sent.text))).toMatchObject({ project, resolved_by: 'alias' });
  const found = foundProjectSchema.parse((await api.ask('GET', `/v1/projects/${project}`)).body);
  expect(found.project).toBe(project);
});

test('W3 an archive is unpacked into a folder of the source; a bad one leaves nothing', async () => {
  const zip = zipOf([
    { name: 'a.md', content: 'a' },
    { name: 'b/c.md', content: 'c' },
    { name: 'd.bin', content: 'd' },
  ]);
  const sent = await upload('unpack=zip&path=from', zip);
  expect(uploadSchema.parse(JSON.parse(sent.text))).toMatchObject({ files: 2, left_out: 1 });
  expect(await listed()).toEqual(['from/a.md', 'from/b/c.md']);
  const evil = zipOf([
    { name: 'e.md', content: 'e' },
    { name: '../evil.md', content: 'e' },
  ]);
  expect(await upload('unpack=zip', evil)).toMatchObject({ status: 400, kind: 'invalid_request' });
  expect((await listed()).length).toBe(2);
});

test('W3 what does not fit is refused with its reason: name, globs, size, number, kind of source, project', async () => {
  for (const path of ['../a.md', '/a.md', 'a/../../b.md', 'a%00.md', '']) {
    expect([path, (await upload(`path=${path}`, 'x')).status]).toEqual([path, 400]);
  }
  expect((await upload('', 'x')).status).toBe(400);
  expect(await upload('path=a.bin', 'x')).toMatchObject({
    status: 400,
    text: expect.stringContaining('not one of the files') as string,
  });
  expect(await upload('path=a.md', 'x'.repeat(1_001))).toMatchObject({ status: 413, kind: 'payload_too_large' });
  for (const name of ['1', '2', '3']) expect((await upload(`path=${name}.md`, 'x'.repeat(1_000))).status).toBe(201);
  expect(await upload('path=4.md', 'x')).toMatchObject({ status: 409, kind: 'conflict' });
  expect(await upload('path=a.md', 'x', { path: filesPath('code') })).toMatchObject({ status: 409 });
  expect(await upload('path=a.md', 'x', { path: filesPath('nothing') })).toMatchObject({ status: 404 });
  expect(await upload('path=a.md', 'x', { path: filesPath('files', 'nobody') })).toMatchObject({ status: 404 });
  expect(await upload('path=a.md', 'x', { token: api.tokens.agent })).toMatchObject({ status: 403 });
  expect(await listed()).toEqual(['1.md', '2.md', '3.md']);
});

test('W3 a large upload that is refused is read to its end, so that the client hears why', async () => {
  const large = Buffer.alloc(30_000_000, 'x');
  expect(await upload('path=a.md', large)).toMatchObject({ status: 413 });
  expect(await upload('unpack=tar', large)).toMatchObject({ status: 413 });
});

test('W3 an upload that breaks off leaves nothing that counts', async () => {
  const { host, port } = new URL(api.url);
  await new Promise<void>((resolve) => {
    const socket = openSocket(Number(port), '127.0.0.1');
    socket.write(
      `POST ${filesPath()}?path=half.md HTTP/1.1\r\nhost: ${host}\r\nauthorization: Bearer ${api.tokens.operator}\r\ncontent-length: 900\r\n\r\nhalf`,
    );
    setTimeout(() => socket.destroy(), 300);
    socket.on('close', () => resolve());
  });
  const partial = join(api.home, 'staged/partial');
  for (let tries = 0; tries < 100 && existsSync(partial) && readdirSync(partial).length > 0; tries += 1)
    await new Promise((resolve) => setTimeout(resolve, 20));
  expect(await listed()).toEqual([]);
  expect(readdirSync(partial)).toEqual([]);
});

test('W3 a project of another box takes no uploads here', async () => {
  project = await registered({ box: 'other' });
  expect(await upload('path=a.md', 'x')).toMatchObject({
    status: 503,
    text: expect.stringContaining('other') as string,
  });
});

test('W2 the three places of every source, listed or not', async () => {
  const reply = await api.ask('GET', `/v1/projects/${project}/sources`, { token: api.tokens.viewer });
  const { items, ...rest } = sourceStatusesSchema.parse(reply.body);
  expect(rest).toEqual({ project, resolved_by: 'id', next_cursor: null });
  const nowhere = { missing: 0, differing: 0, extra: 0 };
  expect(items).toEqual(
    [
      ['code', 'git'],
      ['files', 'upload'],
    ].map(([source, kind]) => ({
      ...{ source, kind, truth: null, staged: null, store: null, quarantined: 0 },
      drift: { staged: nowhere, store: nowhere },
    })),
  );
  expect((await api.ask('GET', '/v1/projects/nobody/sources')).status).toBe(404);
});
