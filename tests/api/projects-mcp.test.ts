import { proposalSchema } from '../../domain/project/schemas.ts';
import { randomUUID } from 'node:crypto';
import { answerTo, connectHttp, eras, refusalOf, withText } from './mcp-clients.ts';
import { startApi, type TestApi } from './start-api.ts';

let api: TestApi;
beforeAll(async () => (api = await startApi()));
afterAll(() => api.close());

const spec = { title: 'T', aliases: ['Gigabit LAN'], sources: [{ kind: 'upload', name: 'files' }] };
const onlyPeople = ['proposal_approve', 'proposal_reject', 'question_set_put', 'export_read', 'import_apply'];

test.each(eras)('C10 %s: an agent proposes and refines; a person approves, and not over MCP', async (version, mode) => {
  const agent = await connectHttp(api.url, api.tokens.agent, mode);
  const viewer = await connectHttp(api.url, api.tokens.viewer, mode);
  const admin = await connectHttp(api.url, api.tokens.admin, mode);
  try {
    const toolsOf = async (client: typeof agent) => (await client.listTools()).tools.map(({ name }) => name);
    expect(await toolsOf(agent)).toEqual(expect.arrayContaining(['project_propose', 'project_refine_propose']));
    expect(await toolsOf(viewer)).not.toContain('project_propose');
    expect((await toolsOf(admin)).filter((name) => onlyPeople.includes(name))).toEqual([]);

    const project = `p-${version.replaceAll('-', '')}`;
    const aliases = [`${project} LAN`];
    const given = { project, template: 'notes', spec: { ...spec, aliases }, idempotency_key: project };
    const proposal = proposalSchema.parse(await answerTo(agent, 'project_propose', given));
    expect(proposal).toMatchObject({ state: 'proposed', proposed_by: 'agent', template: 'notes' });
    expect((await answerTo(agent, 'project_propose', given))['id']).toBe(proposal.id);
    expect(await answerTo(viewer, 'proposal_show', { id: proposal.id })).toMatchObject({ state: 'proposed' });
    const path = `/v1/projects/proposals/${proposal.id}/approve`;
    expect((await api.ask('POST', path, { body: {} })).status).toBe(200);

    expect(await answerTo(viewer, 'project_show', { id: aliases[0] })).toMatchObject({
      ...{ project, resolved_by: 'alias', version: 1 },
    });
    const refinement = { id: project, spec: { title: 'New' }, reason: 'clearer' };
    const outdated = await refusalOf(agent, 'project_refine_propose', { ...refinement, base_version: 7 });
    expect(outdated).toMatchObject({ status: 409, detail: withText('version 1') });
    const refined = await answerTo(agent, 'project_refine_propose', { ...refinement, base_version: 1 });
    expect(refined).toMatchObject({ kind: 'refinement', project, resolved_by: 'id', spec: { title: 'New', aliases } });
    const withdrawn = await answerTo(agent, 'proposal_withdraw', { id: refined['id'] });
    expect(withdrawn).toMatchObject({ state: 'withdrawn' });
    const refused = await refusalOf(agent, 'project_propose', { project: 'P 1', spec });
    expect(refused).toMatchObject({ status: 400, errors: [{ path: 'project' }] });
  } finally {
    await Promise.all([agent, viewer, admin].map((client) => client.close()));
  }
});

test('O2 O5 C10 waves are resources; a token for one project is shown its own, and only tools that it may call', async () => {
  const ids = new Map<string, string>();
  for (const project of ['w1-own', 'w2-other']) {
    const body = { project, spec: { ...spec, aliases: [] } };
    const proposal = await api.ask('POST', '/v1/projects/proposals', { body, token: api.tokens.agent });
    await api.ask('POST', `/v1/projects/proposals/${proposal.body.id}/approve`, { body: {} });
    const id = randomUUID();
    ids.set(project, id);
    await api.databases.ops`
      insert into waves (id, project, name, kind, trigger, actor, request, result, workflow_id)
      values (${id}, ${project}, 'refresh', 'corpus', 'operator', 'anna', ${api.databases.ops.json({ kind: 'corpus' })},
        ${api.databases.ops.json({})}, ${`wave/${project}`})`;
  }
  const body = { actor: 'codex', role: 'agent', projects: ['w1-own'] };
  const made = await api.ask('POST', '/v1/tokens', { body, token: api.tokens.admin });
  const client = await connectHttp(api.url, made.body.token, eras[0][1]);
  try {
    const { resources } = await client.listResources();
    expect(resources.map(({ uri }) => uri)).toEqual(['holdfast://projects/w1-own/waves']);
    const { contents } = await client.readResource({ uri: 'holdfast://projects/w1-own/waves?limit=5' });
    expect(JSON.stringify(contents)).toContain(ids.get('w1-own'));
    for (const uri of ['holdfast://projects/w2-other/waves', `holdfast://waves/${ids.get('w2-other')}`])
      await expect(client.readResource({ uri })).rejects.toThrow(/There is no|No project/);
    const tools = (await client.listTools()).tools.map(({ name }) => name);
    expect(tools).toEqual(expect.arrayContaining(['search', 'project_refresh', 'wave_list']));
    expect(tools).not.toEqual(expect.arrayContaining(['service_list']));
    expect(await refusalOf(client, 'service_list')).toMatchObject({ status: 403 });
  } finally {
    await client.close();
  }
});
