import getPort from 'get-port';
import { randomBytes, randomUUID } from 'node:crypto';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { trustKey, openSigningKey } from '../../adapters/backup/signing-key.ts';
import { connect } from '../../adapters/postgres/connect.ts';
import { restoreOperations } from '../../adapters/restore/operations.ts';
import { createServiceStore } from '../../adapters/postgres/services.ts';
import { createTokenStore } from '../../adapters/postgres/tokens.ts';
import { canonicalJson } from '../../domain/canonical-json.ts';
import { markerFormat, markerPath } from '../../domain/offsite/layout.ts';
import { serviceSpecSchema } from '../../domain/service.ts';
import { createBackupWorld, type BackupWorld } from '../support/backup-world.ts';
import { said } from '../cli/api-cli.ts';
import { createCli, type Cli, type End } from '../cli/run-cli.ts';
import { ownBox } from '../support/on-temporal.ts';
import { createFolder } from '../support/own-home.ts';
import { fullSize } from '../support/proof-size.ts';
import { freshDatabases, servers } from '../support/servers.ts';

jest.setTimeout(600_000);

const spec = serviceSpecSchema.parse({ source: { git: '/nowhere', ref: 'main' }, run: { argv: ['true'] } });
let world: BackupWorld;
let stamp: string;
let oldToken: string;
/** The public key, as somebody has kept it. */
let key: string;

/** A box with a project, a service that runs, a release known to be bad, a token, and a point of all that. */
beforeAll(async () => {
  world = await createBackupWorld();
  const { ops } = world.databases;
  ({ token: oldToken } = await createTokenStore(ops).create({ actor: 'admin', role: 'admin' }));
  await createServiceStore(ops).register('web', { ...spec, box: ownBox });
  await ops`update services set desired_state = 'running', desired_release = 'r1'`;
  await ops`insert into releases (service, release_id, digest, config_hash, standing) values ('web', 'r1', 'd', 'c', 'known_bad')`;
  ({ stamp } = await world.run('backup', { include_vectors: true }));
  key = (await openSigningKey(join(world.home, 'secrets'))).public_key;
});
afterAll(() => world.close());

interface Machine {
  readonly home: string;
  readonly cli: Cli;
  readonly url: string;
  close(): Promise<void>;
}

/** Nothing but Holdfast. Its servers are its own in a proof, and new names on those of this test run in CI. */
async function emptyMachine(): Promise<Machine> {
  const folder = createFolder();
  const home = join(folder.path, 'home');
  const database = `t_${randomBytes(6).toString('hex')}`;
  const namespace = `t-${randomBytes(4).toString('hex')}`;
  const port = String(await getPort());
  const { databaseUrl: postgres, temporalAddress, qdrant } = servers();
  const own: Record<string, string> = { HOLDFAST_API_PORT: port, HOLDFAST_DATABASE: database };
  const given = {
    ...{ DATABASE_URL: postgres, TEMPORAL_ADDRESS: temporalAddress, TEMPORAL_NAMESPACE: namespace },
    ...{ QDRANT_URL: qdrant.url, QDRANT_API_KEY: qdrant.apiKey ?? '' },
  };
  const env = fullSize ? own : { ...own, ...given };
  return {
    ...{ home, cli: createCli(home, env), url: `http://127.0.0.1:${port}` },
    async close() {
      const admin = connect(postgres, { name: 'holdfast-test', max: 1 });
      const sides = await admin<{ datname: string }[]>`
        select datname from pg_database where datname like ${`${database}%`}`;
      for (const { datname } of sides) await admin`drop database if exists ${admin(datname)} with (force)`;
      await admin.end();
      folder.remove();
    },
  };
}

/** Everything of this machine, until the work is done. */
async function whileUp<T>({ cli }: Machine, work: () => Promise<T>): Promise<T> {
  const up = cli.start(['up']);
  try {
    await said(up, 'Holdfast is ready');
    return await work();
  } finally {
    up.child.kill('SIGTERM');
    await up.end;
  }
}

async function run({ cli }: Machine, ...args: string[]): Promise<End> {
  const end = await cli.run(args);
  if (end.exitCode !== 0) throw new Error(`${args.join(' ')}: ${end.exitCode}\n${end.stdout}${end.stderr}`);
  return end;
}

const restore = (machine: Machine): Promise<End> =>
  run(
    machine,
    'backup',
    'restore',
    stamp,
    '--confirm-service-stopped',
    '--no-pre-snapshot',
    '--confirm',
    stamp.slice(-4),
  );

/** By its API: what the lost box knew, and that nobody of it gets in. */
async function expectEverything(machine: Machine): Promise<void> {
  const asked = (path: string, token: string) =>
    fetch(machine.url + path, { headers: { authorization: `Bearer ${token}` } });
  expect((await asked('/v1/services', oldToken)).status).toBe(401);
  const admin = readFileSync(join(machine.home, 'secrets', 'admin-token'), 'utf8').trim();
  const get = async (path: string): Promise<unknown> => (await asked(path, admin)).json();
  expect(await get('/v1/services/web')).toMatchObject({ name: 'web', desired: { state: 'stopped' } });
  expect(await get('/v1/services/web/releases')).toMatchObject({
    items: [{ release_id: 'r1', standing: 'known_bad' }],
  });
  expect(await get(`/v1/backups/${stamp}`)).toMatchObject({ stamp, place: 'kept', standing: 'good' });
  const { items } = (await get('/v1/events?limit=200')) as { items: { type: string }[] };
  expect(items.map(({ type }) => type)).toContain('operations.restored');
  expect(readFileSync(join(machine.home, 'staged', 'ab', 'abc'), 'utf8')).toBe('what was staged');
  expect((await run(machine, 'restore', 'release', '--wait')).stderr).toMatch(/release: by \S+\n.*closed/s);
}

test('B4 B6 O2 nothing but a copy of the points and the public key: one command brings everything back', async () => {
  const machine = await emptyMachine();
  try {
    cpSync(join(world.home, 'backups'), join(machine.home, 'backups'), { recursive: true });
    await trustKey(join(machine.home, 'secrets'), key);
    const { stderr } = await restore(machine);
    expect(stderr).toContain('1 tokens revoked');
    expect(stderr).toContain('1 projects answer');
    // It has stopped what it had started.
    await expect(fetch(`${machine.url}/health`)).rejects.toThrow();
    await whileUp(machine, () => expectEverything(machine));
  } finally {
    await machine.close();
  }
});

test('B5 B6 O2 nothing at all: pulled from a disk, restored, and what the machine was given meanwhile still lets in', async () => {
  const machine = await emptyMachine();
  const disk = createFolder();
  try {
    cpSync(join(world.home, 'backups', stamp), join(disk.path, 'points', stamp), { recursive: true });
    // As a push leaves it there.
    const marker = { format: markerFormat, id: randomUUID() };
    writeFileSync(join(disk.path, 'points', markerPath), canonicalJson(marker));
    const [pem, target] = [join(disk.path, 'old-box.pem'), join(disk.path, 'target.json')];
    writeFileSync(pem, key);
    writeFileSync(target, JSON.stringify({ kind: 'directory', path: join(disk.path, 'points') }));
    await whileUp(machine, async () => {
      await run(machine, 'backup', 'trust', '--file', pem);
      await run(machine, 'offsite', 'put', 'disk', '--file', target, '--adopt');
      await run(machine, 'backup', 'pull', 'disk', '--wait');
    });
    await restore(machine);
    await whileUp(machine, async () => {
      await expectEverything(machine);
      expect((await run(machine, 'offsite', 'list')).stdout).toContain('disk');
    });
  } finally {
    await machine.close();
    disk.remove();
  }
});

test('B6 a machine that has its own operations database keeps it', async () => {
  const machine = await emptyMachine();
  const { databaseUrl: postgres } = servers();
  const here = await freshDatabases();
  try {
    await createServiceStore(here.ops).register('mine', { ...spec, box: 'bench' });
    const asked = { stamp, signal: new AbortController().signal, beat: () => undefined };
    const of = {
      servers: { postgresUrl: postgres, database: here.database, qdrant: servers().qdrant, postgresBins: [] },
      openPoint: () => Promise.reject(new Error('nothing of the point is looked at')),
      ...{ migrations: '', workFolder: machine.home, box: 'bench' },
    };
    expect(await restoreOperations(of, asked)).toEqual({ kept_by: 'services are registered' });
  } finally {
    await here.drop();
    await machine.close();
  }
});
