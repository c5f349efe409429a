import { createHmac } from 'node:crypto';
import { projectSpecSchema } from '../../domain/project/schemas.ts';
import { filledIn, templates } from '../../domain/project/template.ts';
import { startApi, type TestApi } from './start-api.ts';

let api: TestApi;
let secret: string;

beforeAll(async () => {
  api = await startApi();
  for (const [id, webhook] of [
    ['pushed', true],
    ['quiet', false],
  ] as const) {
    const policy = { refresh: { webhook } };
    const given = { title: id, sources: [{ kind: 'upload' as const, name: 'files' }], policy };
    const spec = projectSpecSchema.parse(filledIn(given, templates.plain, 'nowhere'));
    const { data } = api.databases;
    await data`insert into projects (id, version, spec) values (${id}, 1, ${data.json(spec)})`;
    await data`insert into project_names (name, project) values (${id}, ${id})`;
  }
  const shown = await api.ask('GET', '/v1/projects/pushed/webhook', { token: api.tokens.admin });
  secret = secretIn(shown.body);
});
afterAll(() => api.close());

function push(project: string, headers: Readonly<Record<string, string>>, body = '{"ref":"refs/heads/main"}') {
  return fetch(`${api.url}/v1/projects/${project}/webhook`, { method: 'POST', headers, body });
}

const signed = (key: string, body = '{"ref":"refs/heads/main"}'): string =>
  createHmac('sha256', key).update(body).digest('hex');

test.each([
  ['GitHub', () => ({ 'x-hub-signature-256': `sha256=${signed(secret)}` })],
  ['Gitea and Forgejo', () => ({ 'x-gitea-signature': signed(secret) })],
  ['GitLab', () => ({ 'x-gitlab-token': secret })],
])('W9 a push that %s signs starts a wave, or flags one more after that which runs', async (_host, headers) => {
  const answer = await push('pushed', headers());
  expect(answer.status).toBe(202);
  expect(await answer.json()).toMatchObject({ workflow_id: 'wave/pushed' });
});

test.each([
  ['no signature', 'pushed', () => ({})],
  ['another body', 'pushed', () => ({ 'x-hub-signature-256': `sha256=${signed(secret, '{}')}` })],
  ['another key', 'pushed', () => ({ 'x-hub-signature-256': `sha256=${signed('guessed')}` })],
  ['half a signature', 'pushed', () => ({ 'x-hub-signature-256': `sha256=${signed(secret).slice(0, 32)}` })],
  ['another project with the secret of this one', 'quiet', () => ({ 'x-gitlab-token': secret })],
  ['a project that nobody has', 'nobody', () => ({ 'x-gitlab-token': secret })],
] as const)('W9 O2 %s is refused, and nobody learns which projects there are', async (_case, project, headers) => {
  const answer = await push(project, headers());
  expect(answer.status).toBe(401);
  expect(await answer.json()).toMatchObject({ detail: expect.stringContaining('No project takes this') as string });
});

test('W9 a project whose registration says no webhook takes none, though its secret is right', async () => {
  const { body } = await api.ask('GET', '/v1/projects/quiet/webhook', { token: api.tokens.admin });
  expect(body).toMatchObject({ enabled: false });
  const own = secretIn(body);
  expect(own).not.toBe(secret);
  expect((await push('quiet', { 'x-gitlab-token': own })).status).toBe(401);
});

test('O2 only an admin sees the secret', async () => {
  for (const token of [api.tokens.viewer, api.tokens.agent, api.tokens.operator])
    expect((await api.ask('GET', '/v1/projects/pushed/webhook', { token })).status).toBe(403);
});

function secretIn(body: unknown): string {
  return (body as { secret: string }).secret;
}
