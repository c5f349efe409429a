import { policySchema, policyTestSchema } from '../../domain/deploy/policy-schemas.ts';
import { serviceSpecSchema } from '../../domain/service.ts';
import { serviceNameOfItsOwn, smallestSpec, startApi, type TestApi } from './start-api.ts';

let api: TestApi;
beforeAll(async () => (api = await startApi()));
afterAll(() => api.close());

const [older, running] = ['a'.repeat(40), 'b'.repeat(40)];

/** Two releases that were good; the second runs. */
async function deployedTwice(): Promise<string> {
  const name = serviceNameOfItsOwn();
  await api.ask('PUT', `/v1/services/${name}`, { body: smallestSpec });
  const services = api.parts.services;
  for (const release_id of [older, running]) {
    const facts = { branch: null, committed_at: null, digest: 'd', config_hash: 'h' };
    await services.recordBuilt(name, { release_id, ...facts, schema_version: null, schema_reads_to: null });
    await services.promote(name, release_id, { ...serviceSpecSchema.parse(smallestSpec), box: 'here' });
  }
  await services.setDesired(name, 0, { release_id: running, state: 'running', instance: 'x.candidate' });
  return name;
}

test('D8 the policy as data: the matrix, and where a failure of this release and of the next would go back to', async () => {
  const name = await deployedTwice();
  const { body } = await api.ask('GET', `/v1/services/${name}/policy`);
  expect(policySchema.parse(body)).toMatchObject({
    deployed_release_id: running,
    rollback_target_release_id: older,
    next_rollback_target_release_id: running,
    rollback_on: { deploy_failure: { self_hosted: true, external: false } },
  });
});

test.each([
  ['running', older, 'rollback_target_same_as_deployed'],
  ['next', running, 'rollback_target_validated'],
])('D8 what would be decided, without doing it, of a failure of the one that is %s', async (of, target, ofRunning) => {
  const name = await deployedTwice();
  const { body } = await api.ask('GET', `/v1/services/${name}/policy/test?of=${of}`);
  const { cases } = policyTestSchema.parse(body);
  const said = (to: string | null) =>
    cases.find(
      ({ failure_class, deployment_context, target_release_id }) =>
        failure_class === 'health_failure' && deployment_context === 'self_hosted' && target_release_id === to,
    )?.decision.reason;
  expect([said(null), said(target), said(running)]).toEqual([
    'rollback_target_unspecified',
    'rollback_target_validated',
    ofRunning,
  ]);
  expect((await api.ask('GET', `/v1/services/${name}/deploys`)).body).toMatchObject({ items: [] });
});

test('D8 a question that makes no sense is 400, and an unknown service 404', async () => {
  const name = await deployedTwice();
  expect((await api.ask('GET', `/v1/services/${name}/policy/test?of=yesterday`)).status).toBe(400);
  expect((await api.ask('GET', '/v1/services/nobody/policy')).status).toBe(404);
});
