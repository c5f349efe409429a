import { setTimeout as sleep } from 'node:timers/promises';
import { createOutbox } from '../../../adapters/postgres/outbox.ts';
import { obstacleOf, specOf, startRegistry, type Registry } from './registry-bench.ts';

let registry: Registry;
beforeEach(async () => (registry = await startRegistry()));
afterEach(() => registry.drop());

const outcomes = async (works: readonly Promise<unknown>[]) => {
  const settled = await Promise.allSettled(works);
  return settled.map(({ status }) => status).sort();
};

test('W1 two people are two live tokens of role operator or above: revoked, expired and weaker ones do not count', async () => {
  const anna = await registry.person('anna');
  const others = [await registry.person('bob'), await registry.person('zoe')];
  await registry.person('codex', 'agent');
  await registry.person('carl', 'operator', new Date(Date.now() - 1_000));
  await registry.person('later', 'operator', new Date(Date.now() + 3_600_000));
  const { id } = await registry.propose('p04-gigabit', 'anna');
  expect(await obstacleOf(registry.approve(id, anna, true))).toMatchObject({
    ...{ kind: 'refused', approval: { refusal: 'own_proposal', others: ['bob', 'later', 'zoe'] } },
  });
  for (const other of others) await registry.tokens.revoke(other);
  expect(await obstacleOf(registry.approve(id, anna, true))).toMatchObject({ approval: { others: ['later'] } });
  await registry.ops`update tokens set expires_at = now() where actor = 'later'`;
  expect(await obstacleOf(registry.approve(id, anna))).toMatchObject({
    approval: { refusal: 'self_approval_not_asked_for', others: [] },
  });
  expect(await registry.approve(id, anna, true)).toMatchObject({ state: 'approved', version: 1, self_approved: true });
});

test('W1 two tokens of one actor are one person', async () => {
  const first = await registry.person('anna');
  const second = await registry.person('anna', 'admin');
  const { id } = await registry.propose('p04-gigabit', 'anna');
  expect(await obstacleOf(registry.approve(id, second))).toMatchObject({
    approval: { refusal: 'self_approval_not_asked_for' },
  });
  expect(await registry.approve(id, first, true)).toMatchObject({ self_approved: true });
});

test('W1 a token that was revoked after it was let in approves nothing; the other person then is alone', async () => {
  const anna = await registry.person('anna');
  const bob = await registry.person('bob');
  const { id } = await registry.propose('p04-gigabit', 'anna');
  await registry.tokens.revoke(bob);
  expect(await obstacleOf(registry.approve(id, bob))).toMatchObject({ approval: { refusal: 'token_gone' } });
  const agent = await registry.person('codex', 'agent');
  expect(await obstacleOf(registry.approve(id, agent))).toMatchObject({ approval: { refusal: 'token_gone' } });
  expect(await registry.projects.find('p04-gigabit')).toBeNull();
  expect(await registry.approve(id, anna, true)).toMatchObject({ self_approved: true });
});

test('W1 a token is not revoked while a decision that counts on it is under way', async () => {
  const anna = await registry.person('anna');
  await registry.person('bob');
  let revoked: Promise<unknown> = Promise.resolve();
  const order: string[] = [];
  await registry.approvers.whileTheyStand({ tokenId: anna, project: 'p04-gigabit' }, async ({ approver, people }) => {
    expect([approver?.actor, people]).toEqual(['anna', ['anna', 'bob']]);
    revoked = registry.tokens.revoke(anna).then(() => order.push('revoked'));
    // Until the revocation is seen to wait for a lock.
    for (;;) {
      const waiting = await registry.ops`
        select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
      if (waiting.length > 0) break;
      await sleep(5);
    }
    order.push('decided');
  });
  await revoked;
  expect(order).toEqual(['decided', 'revoked']);
});

test('W1 of two approvals at once one puts it into force; by another person the second is told who was first', async () => {
  const [bob, carl] = [await registry.person('bob'), await registry.person('carl')];
  const { id } = await registry.propose('p04-gigabit', 'anna');
  expect(await outcomes([registry.approve(id, bob), registry.approve(id, carl)])).toEqual(['fulfilled', 'rejected']);
  const { decided_by } = (await registry.registrations.find(id)) ?? {};
  const late = decided_by === 'bob' ? carl : bob;
  expect(await obstacleOf(registry.approve(id, late))).toEqual({ kind: 'decided', state: 'approved', by: decided_by });
  expect((await registry.projects.find('p04-gigabit'))?.version).toBe(1);

  const first = decided_by === 'bob' ? bob : carl;
  await registry.approve(id, first); // as often as the answer was lost
  await registry.outbox.carry();
  const events = await registry.events.list({ limit: 50, subject: 'project/p04-gigabit' });
  expect(events.map(({ type, actor }) => [type, actor])).toEqual([
    ['project.proposed', 'anna'],
    ['project.approved', decided_by],
  ]);
});

test('W1 of ten proposals for one id, approved at once, one is the project', async () => {
  const bob = await registry.person('bob');
  const proposals = await Promise.all(
    Array.from({ length: 10 }, (_, at) =>
      registry.propose('p04-gigabit', 'anna', { spec: specOf({ title: `T${at}` }) }),
    ),
  );
  const ends = await outcomes(proposals.map(({ id }) => registry.approve(id, bob)));
  expect(ends.filter((end) => end === 'fulfilled')).toHaveLength(1);
  const open = await registry.registrations.list({ limit: 20, state: 'proposed', among: null });
  expect(await obstacleOf(registry.approve(open[0]?.id ?? '', bob))).toEqual({ kind: 'outdated', version: 1 });
  expect(await registry.projects.list({ limit: 5 })).toHaveLength(1);
});

test('W1 refinements have versions: of two made from one, the second to come is outdated', async () => {
  await registry.registered('p04-gigabit');
  const bob = await registry.person('bob');
  const refine = (title: string, base_version: number) =>
    registry.propose('p04-gigabit', 'anna', { base_version, spec: specOf({ title }) });
  const [one, other] = [await refine('One', 1), await refine('Other', 1)];
  expect(await outcomes([one, other].map(({ id }) => registry.approve(id, bob)))).toEqual(['fulfilled', 'rejected']);
  const now = await registry.projects.find('p04-gigabit');
  expect(now?.version).toBe(2);
  expect(['One', 'Other']).toContain(now?.spec.title);
  const loser = now?.spec.title === 'One' ? other : one;
  expect(await registry.registrations.find(loser.id)).toMatchObject({ state: 'proposed', version: null });
  expect(await obstacleOf(refine('Late', 1))).toEqual({ kind: 'outdated', version: 2 });
  expect(await obstacleOf(registry.propose('p04-gigabit', 'anna'))).toEqual({ kind: 'outdated', version: 2 });
  expect(await obstacleOf(registry.propose('p05-none', 'anna', { base_version: 1 }))).toEqual({
    ...{ kind: 'outdated', version: null },
  });
});

test('W1 ids and aliases are one space of names without case; who has a name is said', async () => {
  await registry.registered('p04-gigabit', specOf({ aliases: ['Gigabit LAN'] }));
  const taken = (name: string) => ({ kind: 'names_taken', taken: [{ name, project: 'p04-gigabit' }] });
  const withAlias = (alias: string) => registry.propose('p05-other', 'anna', { spec: specOf({ aliases: [alias] }) });
  expect(await obstacleOf(withAlias('GIGABIT  lan'))).toEqual(taken('gigabit lan'));
  expect(await obstacleOf(withAlias('P04-Gigabit'))).toEqual(taken('p04-gigabit'));
  await registry.registered('p06-third', specOf({ aliases: ['p07-fourth'] }));
  expect(await obstacleOf(registry.propose('p07-fourth', 'anna'))).toEqual({
    ...{ kind: 'names_taken', taken: [{ name: 'p07-fourth', project: 'p06-third' }] },
  });
  expect(await registry.projects.resolve('gigabit LAN')).toEqual({ project: 'p04-gigabit', resolved_by: 'alias' });
  expect(await registry.projects.resolve('P04-GIGABIT')).toEqual({ project: 'p04-gigabit', resolved_by: 'id' });
  expect(await registry.projects.resolve('gigabit')).toBeNull();
  expect([...(await registry.projects.resolveAll(['p06-third', 'nobody']))]).toEqual([
    ['p06-third', { project: 'p06-third', resolved_by: 'id' }],
  ]);
});

test('W1 a name that was free when it was proposed may be taken when it is approved, and nothing is changed then', async () => {
  const bob = await registry.person('bob');
  const spec = specOf({ aliases: ['lan'] });
  const ids = ['p04-one', 'p05-two', 'p06-three'];
  const proposals = await Promise.all(ids.map((id) => registry.propose(id, 'anna', { spec })));
  const ends = await outcomes(proposals.map(({ id }) => registry.approve(id, bob)));
  expect(ends).toEqual(['fulfilled', 'rejected', 'rejected']);
  const [project] = await registry.projects.list({ limit: 5 });
  expect(await registry.names()).toEqual([
    { name: 'lan', project: project?.project },
    { name: project?.project, project: project?.project },
  ]);
});

test('W1 a refinement gives names back and takes others; two that trade names do not wait for ever', async () => {
  await registry.registered('p04-one', specOf({ aliases: ['left'] }));
  await registry.registered('p05-two', specOf({ aliases: ['right'] }));
  const bob = await registry.person('bob');
  const rename = (project: string, base_version: number, aliases: string[]) =>
    registry.propose(project, 'anna', { base_version, spec: specOf({ aliases }) });
  const drops = [await rename('p04-one', 1, []), await rename('p05-two', 1, [])];
  await Promise.all(drops.map(({ id }) => registry.approve(id, bob)));
  expect((await registry.names()).map(({ name }) => name)).toEqual(['p04-one', 'p05-two']);
  const takes = [await rename('p04-one', 2, ['right', 'left']), await rename('p05-two', 2, ['left', 'right'])];
  const ends = await Promise.allSettled(takes.map(({ id }) => registry.approve(id, bob)));
  expect(ends.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(ends.find(({ status }) => status === 'rejected')).toMatchObject({
    reason: { obstacle: { kind: 'names_taken' } },
  });
});

test('W1 what was rejected or withdrawn stays so; only whoever proposed it withdraws it', async () => {
  const bob = await registry.person('bob');
  const [one, other] = [await registry.propose('p04-one', 'anna'), await registry.propose('p04-one', 'anna')];
  const no = { by: 'bob', reason: 'not now' };
  expect(await registry.registrations.reject(one.id, no)).toMatchObject({
    state: 'rejected',
    decision_reason: 'not now',
  });
  expect(await obstacleOf(registry.registrations.withdraw(other.id, no))).toEqual({
    ...{ kind: 'not_the_proposer', proposed_by: 'anna' },
  });
  await registry.registrations.withdraw(other.id, { by: 'anna', reason: null });
  for (const { id } of [one, other])
    expect(await obstacleOf(registry.approve(id, bob))).toMatchObject({ kind: 'decided' });
  expect(await obstacleOf(registry.registrations.reject(other.id, no))).toMatchObject({ kind: 'decided', by: 'anna' });
  expect(await registry.projects.list({ limit: 5 })).toEqual([]);
});

test('W1 an event is in the audit once, also when two carry it, and is kept while the audit is away', async () => {
  await registry.propose('p04-one', 'anna');
  const away = new Error('away');
  const broken = createOutbox(registry.data, { append: () => Promise.reject(away) });
  await expect(broken.carry()).rejects.toBe(away);
  await Promise.all([registry.outbox.carry(), registry.outbox.carry(), registry.outbox.carry()]);
  const events = await registry.events.list({ limit: 50 });
  expect(events.map(({ type }) => type)).toEqual(['project.proposed']);
  expect(await registry.data`select 1 from outbox`).toHaveLength(0);
});

test('W1 more events than one look takes are carried in their order', async () => {
  await registry.data`
    insert into outbox (type, subject, actor, data) select 'test', 'project/' || n, 'anna', '{}' from generate_series(1, 450) n`;
  await registry.outbox.carry();
  const events = await registry.events.list({ limit: 1_000 });
  expect(events.map(({ subject }) => subject)).toEqual(Array.from({ length: 450 }, (_, at) => `project/${at + 1}`));
});
