import { proposalSchema } from '../../domain/project/schemas.ts';
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
