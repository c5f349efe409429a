import getPort from 'get-port';
import { randomBytes } from 'node:crypto';
import { connect, type Sql } from '../../adapters/postgres/connect.ts';
import { ConfigError, loadConfig } from '../../infra/config.ts';
import { startStack } from '../../infra/stack/stack.ts';
import type { StackError } from '../../infra/stack/stack-error.ts';
import { configFor, createFolder, listeningReport } from '../support/own-home.ts';
import { servers } from '../support/servers.ts';

const password = 'hunter2-secret';
const role = `t_${randomBytes(4).toString('hex')}`;
const folder = createFolder();
let admin: Sql;

beforeAll(async () => {
  admin = connect(servers().databaseUrl, { name: 'holdfast-test', max: 1 });
  await admin.unsafe(`create role ${role} login password '${password}'`);
});

afterAll(async () => {
  await admin.unsafe(`drop role ${role}`);
  await admin.end();
  folder.remove();
});

function url(changes: { readonly user?: string; readonly host?: string; readonly password?: string }): string {
  const changed = new URL(servers().databaseUrl);
  if (changes.user !== undefined) changed.username = changes.user;
  if (changes.host !== undefined) changed.host = changes.host;
  changed.password = changes.password ?? password;
  return changed.toString();
}

async function refusal(databaseUrl: string): Promise<StackError> {
  const { lines, report } = listeningReport();
  const config = configFor(folder.path, { DATABASE_URL: databaseUrl, HOLDFAST_DATABASE: role });
  const signal = new AbortController().signal;
  const error = await startStack(config, report, { apps: false, signal }).then(
    () => null,
    (reason: unknown) => reason as StackError,
  );
  expect(error).toMatchObject({ name: 'StackError', message: expect.stringMatching(/^[^\n]+$/) as string });
  expect(JSON.stringify([error?.message, error?.advice, error?.stack, lines])).not.toContain(password);
  return error as StackError;
}

describe('a wrong DATABASE_URL is one clear line, without its password', () => {
  test('a port where nothing listens', async () => {
    const host = `127.0.0.1:${await getPort()}`;
    expect((await refusal(url({ host }))).message).toMatch(
      new RegExp(`^Postgres at ${host} cannot be used: .*REFUSED`),
    );
  });

  test('a wrong password', async () => {
    const user = new URL(servers().databaseUrl).username;
    const { message } = await refusal(url({ user }));
    expect(message).toMatch(new RegExp(`refuses user ${user}`));
  });

  test('a host that does not exist', async () => {
    expect((await refusal(url({ host: 'no-such-host.invalid:5432' }))).message).toContain('there is no such host');
  });

  test('a role that may not create databases, with what its administrator can do', async () => {
    const { message, advice } = await refusal(url({ user: role }));
    expect(message).toContain(`user ${role} may not create databases`);
    expect(advice).toContain(`alter role ${role} createdb`);
  });
});

test('an environment that is not valid names every wrong variable and no value', () => {
  const env = {
    DATABASE_URL: `mysql://root:${password}@localhost/x`,
    HOLDFAST_API_PORT: '70000',
    HOLDFAST_HOME: 'relative/path',
    TEMPORAL_ADDRESS: 'http://wrong-address',
    HOLDFAST_DATABASE: 'Drop Table',
  };
  const attempt = (): unknown => loadConfig(env);
  expect(attempt).toThrow(ConfigError);
  for (const name of Object.keys(env)) expect(attempt).toThrow(name);
  for (const value of [...Object.values(env), password]) expect(attempt).not.toThrow(value);
  expect(attempt).toThrow(/^[^\n]+$/);
});

test('an empty variable is one that was not set', () => {
  expect(loadConfig({ DATABASE_URL: '', TEMPORAL_ADDRESS: '' })).toMatchObject({
    postgres: { url: null },
    temporal: { address: null },
  });
});
