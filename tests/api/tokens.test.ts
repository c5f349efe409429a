import { createTokenStore } from '../../adapters/postgres/tokens.ts';
import { freshDatabases, type TestDatabases } from '../support/servers.ts';
import { startApi, type TestApi } from './start-api.ts';

describe('token store', () => {
  let databases: TestDatabases;
  beforeAll(async () => (databases = await freshDatabases()));
  afterAll(() => databases.drop());

  test('O2 the first-run admin token is made once, also by two callers at once', async () => {
    const tokens = createTokenStore(databases.ops);
    const made = await Promise.all([tokens.ensureFirstAdmin(), tokens.ensureFirstAdmin(), tokens.ensureFirstAdmin()]);
    const [first] = made.filter((token) => token !== null);
    expect(made.filter((token) => token !== null)).toHaveLength(1);
    expect(await tokens.authenticate(first?.token ?? '')).toMatchObject({ actor: 'admin', role: 'admin' });
    expect(await tokens.ensureFirstAdmin()).toBeNull();
  });

  test('O2 a token is stored hashed: no column holds its secret', async () => {
    const { token } = await createTokenStore(databases.ops).create({ actor: 'ci', role: 'viewer' });
    const secret = token.split('_').slice(2).join('_');
    const rows = await databases.ops`select tokens::text as row from tokens`;
    expect(JSON.stringify(rows)).not.toContain(secret);
    expect(JSON.stringify(rows)).not.toContain(Buffer.from(secret).toString('hex'));
  });

  test('O2 wrong, expired and revoked tokens are refused', async () => {
    const tokens = createTokenStore(databases.ops);
    const { row, token } = await tokens.create({ actor: 'ci', role: 'viewer' });
    const other = await tokens.create({ actor: 'ci', role: 'viewer', expires_at: new Date(Date.now() - 1_000) });
    const flipped = token.slice(0, -2) + (token.endsWith('AA') ? 'BB' : 'AA');
    expect(await tokens.authenticate(token)).toMatchObject({ id: row.id });
    expect(await tokens.authenticate(flipped)).toBeNull();
    expect(await tokens.authenticate(other.token)).toBeNull();
    expect(await tokens.authenticate('hf_nonsense')).toBeNull();
    expect(await tokens.revoke(row.id)).toBe('revoked');
    expect(await tokens.authenticate(token)).toBeNull();
  });

  test('O2 the last use is noted at most once a minute', async () => {
    const tokens = createTokenStore(databases.ops);
    const { row, token } = await tokens.create({ actor: 'ci', role: 'viewer' });
    const used = async () =>
      (await databases.ops<{ at: Date }[]>`select last_used_at as at from tokens where id = ${row.id}`)[0]?.at;
    await tokens.authenticate(token);
    const first = await used();
    await tokens.authenticate(token);
    expect(await used()).toEqual(first);
    await databases.ops`update tokens set last_used_at = now() - interval '2 minutes' where id = ${row.id}`;
    await tokens.authenticate(token);
    expect(await used()).not.toEqual(first);
  });

  test('O2 two revocations at once leave an admin', async () => {
    const other = await freshDatabases();
    try {
      const tokens = createTokenStore(other.ops);
      const made = await Promise.all([1, 2, 3].map(() => tokens.create({ actor: 'admin', role: 'admin' })));
      const answers = await Promise.all(made.map(({ row }) => tokens.revoke(row.id)));
      expect(answers.sort()).toEqual(['last_admin', 'revoked', 'revoked']);
    } finally {
      await other.drop();
    }
  });

  test('O2 an admin token that expires does not stand in for one that does not', async () => {
    const other = await freshDatabases();
    try {
      const tokens = createTokenStore(other.ops);
      const { row } = await tokens.create({ actor: 'admin', role: 'admin' });
      const brief = await tokens.create({ actor: 'b', role: 'admin', expires_at: new Date(Date.now() + 60_000) });
      expect(await tokens.revoke(row.id)).toBe('last_admin');
      expect(await tokens.revoke(brief.row.id)).toBe('revoked');
      expect(await tokens.revoke('000000000000')).toBe('unknown');
    } finally {
      await other.drop();
    }
  });
});

describe('token routes', () => {
  let api: TestApi;
  beforeAll(async () => (api = await startApi()));
  afterAll(() => api.close());
  const admin = () => ({ token: api.tokens.admin });

  test('O2 a new token is shown once and works', async () => {
    const made = await api.ask('POST', '/v1/tokens', { ...admin(), body: { actor: 'ci', role: 'operator' } });
    expect(made.status).toBe(201);
    expect(made.body.token).toMatch(/^hf_[0-9a-f]{12}_[A-Za-z0-9_-]{43}$/);
    const listed = await api.ask('GET', '/v1/tokens', admin());
    expect(listed.body.items.map(({ id }) => id)).toContain(made.body.id);
    expect(listed.text).not.toContain(made.body.token);
    expect(listed.text).not.toContain('sha256');
    expect((await api.ask('GET', '/v1/services', { token: made.body.token })).status).toBe(200);
  });

  test('O2 under an idempotency key the same secret comes back, though the database does not hold it', async () => {
    const ask = { ...admin(), body: { actor: 'ci', role: 'viewer' }, headers: { 'idempotency-key': 'one token' } };
    const first = await api.ask('POST', '/v1/tokens', ask);
    const again = await api.ask('POST', '/v1/tokens', ask);
    expect(again.status).toBe(201);
    expect(again.body).toEqual(first.body);
    const rows = await api.databases.ops`select idempotency_keys::text as row from idempotency_keys`;
    expect(rows).toHaveLength(1);
    expect(JSON.stringify(rows)).not.toContain(first.body.token.replace(/^hf_[0-9a-f]+_/, ''));
    expect((await api.ask('GET', '/v1/services', { token: again.body.token })).status).toBe(200);
  });

  test('O2 a revoked token is refused at once; an unknown one is 404', async () => {
    const made = await api.ask('POST', '/v1/tokens', { ...admin(), body: { actor: 'ci', role: 'viewer' } });
    const path = `/v1/tokens/${made.body.id}`;
    expect((await api.ask('DELETE', path, admin())).status).toBe(204);
    expect((await api.ask('DELETE', path, admin())).status).toBe(204);
    expect((await api.ask('GET', '/v1/services', { token: made.body.token })).status).toBe(401);
    expect((await api.ask('DELETE', '/v1/tokens/000000000000', admin())).status).toBe(404);
    const events = await api.ask('GET', `/v1/events?subject=token/${made.body.id}`);
    expect(events.body.items.map(({ type }) => type)).toEqual(['token.created', 'token.revoked']);
  });

  test('O2 the last admin token cannot be revoked', async () => {
    const own = api.tokens.admin.split('_')[1] ?? '';
    const refused = await api.ask('DELETE', `/v1/tokens/${own}`, admin());
    expect(refused.status).toBe(409);
    expect(refused.body.type).toBe('urn:holdfast:problem:conflict');
  });

  test('O2 an expiry in the past is refused', async () => {
    const body = { actor: 'ci', role: 'viewer', expires_at: '2001-01-01T00:00:00Z' };
    expect((await api.ask('POST', '/v1/tokens', { ...admin(), body })).status).toBe(400);
  });
});
