import type { Client } from '@temporalio/client';
import { createScheduleStore } from '../../adapters/postgres/schedules.ts';
import { createTokenStore } from '../../adapters/postgres/tokens.ts';
import { createPipelineSchedules } from '../../adapters/temporal/pipeline-schedules.ts';
import type { RecoveryPoint } from '../../domain/backup/point-schemas.ts';
import type { BackupRun } from '../../domain/backup/schemas.ts';
import { usualSchedules } from '../../domain/schedule/schedules.ts';
import type { Cli } from '../cli/run-cli.ts';
import { startBackupApi } from '../support/backup-api.ts';
import type { BackupWorld } from '../support/backup-world.ts';
import type { BenchApi } from '../support/bench-api.ts';

jest.setTimeout(180_000);

let world: BackupWorld;
let api: BenchApi;
let cli: Cli;
let client: Client;
let stop: () => Promise<void>;
beforeAll(async () => ({ world, api, cli, client, stop } = await startBackupApi()), 120_000);
afterAll(() => stop());

const post = async (path: string, body: object = {}, headers = {}) =>
  (await api.ask('POST', path, body, headers)) as {
    status: number;
    body: BackupRun & { detail: string; next: string };
  };
const get = (path: string) => api.ask('GET', path);

async function closed(id: string): Promise<BackupRun> {
  for (const end = Date.now() + 120_000; Date.now() < end;) {
    const { body } = (await get(`/v1/backup_runs/${id}`)) as { body: BackupRun };
    if (body.closed_at !== null) {
      await client.workflow.getHandle(body.workflow_id, body.run_id ?? undefined).result();
      return body;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('It was never closed');
}

test('B1 O1 POST /admin/backup: started, busy for others, the same under its key, followed, listed, shown', async () => {
  const key = { 'idempotency-key': 'the night of the first' };
  const started = await post('/admin/backup', { include_vectors: true }, key);
  expect(started).toMatchObject({ status: 202, body: { kind: 'create', trigger: 'operator', actor: 'operator' } });
  const { id } = started.body;
  expect((await post('/v1/admin/backup', { include_vectors: true }, { 'idempotency-key': 'other' })).status).toBe(409);
  expect((await post('/admin/backup', { include_vectors: true }, key)).body.id).toBe(id);
  expect(await post('/admin/backup')).toMatchObject({ status: 409, body: { next: `holdfast backup run ${id}` } });
  const stream = await fetch(`${api.url}/v1/backup_runs/${id}`, {
    headers: { authorization: `Bearer ${api.token}`, accept: 'text/event-stream' },
  });
  expect((await stream.text()).trimEnd().endsWith('event: end\ndata: {"outcome":"published"}')).toBe(true);
  const { stamp, result } = await closed(id);
  expect(result).toMatchObject({ outcome: 'published', proved: ['L0', 'L1', 'L2'] });

  const { body: page } = (await get('/v1/backups')) as { body: { items: RecoveryPoint[] } };
  expect(page.items).toMatchObject([{ stamp, standing: 'good', members: 4, include_vectors: true, pin: null }]);
  expect(await get(`/v1/backups/${stamp ?? ''}`)).toMatchObject({
    body: { stamp, databases: [{ role: 'data' }, { role: 'ops' }], file_sets: [{ name: 'staged', files: 1 }] },
  });
});

test('B1 B3 O1 what nobody can mean is refused before anything runs', async () => {
  expect(await post('/admin/backup', { vectors: true })).toMatchObject({ status: 400 });
  expect(await post('/v1/backups/yesterday/validate')).toMatchObject({ status: 400 });
  const unknown = '20200101T000000Z-0000';
  expect(await post(`/v1/backups/${unknown}/validate`)).toMatchObject({
    ...{ status: 404, body: { next: 'holdfast backup list' } },
  });
  expect((await get(`/v1/backups/${unknown}`)).status).toBe(404);
});

test('B4 O1 a pin is kept with its reason and who gave it, until it is taken off', async () => {
  const stamp = (await world.recoveryPoints.newestProven())?.stamp ?? '';
  const pinned = (await api.ask('PUT', `/v1/backups/${stamp}/pin`, { reason: 'before the migration' })) as object;
  expect(pinned).toMatchObject({ status: 200, body: { pin: { reason: 'before the migration', actor: 'operator' } } });
  const off = await fetch(`${api.url}/v1/backups/${stamp}/pin`, {
    ...{ method: 'DELETE', headers: { authorization: `Bearer ${api.token}` } },
  });
  expect(off.status).toBe(204);
  expect((await world.recoveryPoints.find(stamp))?.pin_reason).toBeNull();
});

test('B1 B3 O3 the command line: made, followed to its end, shown, looked at, and what is found is exit code 8', async () => {
  const made = await cli.run(['backup', 'create', '--no-vectors', '--pin', 'of this test', '--wait']);
  const stamp = /create (\S+): published/.exec(made.stdout)?.[1] ?? '';
  expect([made.exitCode, stamp]).toEqual([0, expect.stringMatching(/^\d{8}T\d{6}Z-[0-9a-f]{4}$/)]);
  expect(made.stderr).toMatch(/✓ L0: .*\n[^]*✓ L1: .*\n[^]*✓ L2: .*\n[^]*publish\n/);
  const list = await cli.run(['backup', 'list']);
  expect(list.stdout).toMatch(new RegExp(`${stamp} .* L2 .* no +of this test`));
  const shown = await cli.run(['backup', 'show', stamp]);
  expect([shown.exitCode, shown.stdout]).toEqual([0, expect.stringContaining('vectors were not asked for') as string]);

  const fine = await cli.run(['backup', 'validate', stamp, '--level', 'L0', '--wait']);
  expect([fine.exitCode, fine.stdout]).toEqual([0, `validate ${stamp}: valid\n`]);
  await world.damage(stamp);
  const bad = await cli.run(['backup', 'validate', stamp, '--wait']);
  expect([bad.exitCode, bad.stdout]).toEqual([8, `validate ${stamp}: invalid\n`]);
  expect(bad.stderr).toMatch(/next: holdfast backup run \S+\n$/);
  expect((await cli.run(['backup', 'show', stamp])).exitCode).toBe(8);
  const run = await cli.run(['backup', 'run', /backup run (\S+)/.exec(bad.stderr)?.[1] ?? '']);
  expect(run.stdout).toMatch(/✗ prove {2}L0: member\.bytes/);
  const runs = await cli.run(['backup', 'runs', '--stamp', stamp]);
  expect(runs.stdout).toMatch(/validate .* invalid/);
});

test('B10 O3 schedules: as usual until somebody says otherwise; what is said is in Temporal, and goes on if it was paused', async () => {
  const listed = await cli.run(['schedule', 'list']);
  expect(listed.stdout).toMatch(/^schedule .*\nbackup +15 2 \* \* \* +not yet/);
  const { token } = await createTokenStore(world.databases.ops).create({ actor: 'admin', role: 'admin' });
  const asAdmin = { env: { HOLDFAST_TOKEN: token } };
  expect((await cli.run(['schedule', 'put', 'backup', '--cron', '0 1 * * *'])).exitCode).toBe(4);
  expect((await cli.run(['schedule', 'put', 'backup', '--cron', 'never'], asAdmin)).exitCode).toBe(2);
  const put = await cli.run(['schedule', 'put', 'backup', '--every', '3600'], asAdmin);
  expect([put.exitCode, put.stdout]).toEqual([0, 'backup: in force within half a minute\n']);

  const schedules = createScheduleStore(world.databases.ops);
  const pipeline = createPipelineSchedules(client);
  await pipeline.reconcile(await schedules.list());
  const handle = client.schedule.getHandle('schedule/backup');
  expect((await handle.describe()).spec.intervals).toMatchObject([{ every: 3_600_000 }]);
  expect((await client.schedule.getHandle('schedule/retention').describe()).policies).toMatchObject({
    pauseOnFailure: true,
  });
  await handle.pause('by hand');
  await createPipelineSchedules(client).reconcile(await schedules.list());
  expect((await handle.describe()).state.paused).toBe(true);
  await cli.run(['schedule', 'put', 'backup', '--every', '7200'], asAdmin);
  expect((await handle.describe()).state.paused).toBe(false);

  const [backup] = usualSchedules('bench');
  if (backup === undefined) throw new Error('There is no usual schedule');
  await schedules.put({ ...backup, enabled: false }, 'tester');
  await pipeline.reconcile(await schedules.list());
  await expect(handle.describe()).rejects.toThrow();
});
