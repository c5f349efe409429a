import type { TargetView } from '../../domain/offsite/schemas.ts';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createBackupRunStore } from '../../adapters/postgres/backup-runs.ts';
import { createOffsiteStore } from '../../adapters/postgres/offsite.ts';
import { createRecoveryPointStore } from '../../adapters/postgres/recovery-points.ts';
import { createRestoreStore } from '../../adapters/postgres/restores.ts';
import { createProgressTeller } from '../../cli/progress.ts';
import { signedManifestSchema } from '../../domain/backup/manifest.ts';
import { emptyBackupResult } from '../../domain/backup/schemas.ts';
import { emptyRestoreResult } from '../../domain/restore/result.ts';
import { restoreRequestSchema } from '../../domain/restore/schemas.ts';
import { writePoint } from '../support/offsite-point.ts';
import { said, startApiCli, type ApiCli } from './api-cli.ts';
import type { Running } from './run-cli.ts';

const stamp = '20261122T020000Z-0001';
const megabyte = 1_000_000;
const asked = { box: 'testbox', actor: 'tester', trigger: 'operator' as const };

let bench: ApiCli;
beforeAll(async () => (bench = await startApiCli()));
afterAll(() => bench.close());

const lagOf = async (target: string) =>
  ((await bench.api.ask('GET', `/v1/offsite/${target}`)).body as unknown as TargetView).lag;

/** A quarter of it, then half: by then it has a pace. */
async function watched(running: Running, step: string, tell: (done_bytes: number) => Promise<void>): Promise<void> {
  await tell(megabyte);
  await said(running, `    ${step}: 1.0 of 4.0 MB [#####...............]\n`);
  await tell(2 * megabyte);
  await said(running, `    ${step}: 2.0 of 4.0 MB [##########..........], `);
  // Plain lines: no terminal is at the other end.
  expect(running.said()).toMatch(/\[#{10}\.{10}\], \d+\.\d MB a second, \d+ s left\n/);
  for (const control of ['\r', '\u001b']) expect(running.said()).not.toContain(control);
}

test('O3 a line is told once for each change; a step of unknown length has neither bar nor end', () => {
  const lines: string[] = [];
  const tell = createProgressTeller({ message: (line) => void lines.push(line) });
  const unknown = { step: 'restore data', done_bytes: megabyte, total_bytes: null };
  for (const progress of [null, unknown, unknown, { step: 'L0', done_bytes: 0, total_bytes: 0 }]) tell(progress);
  expect(lines).toEqual(['    restore data: 1.0 MB', '    L0: 0.0 of 0.0 MB [....................]']);
});

test('O3 B6 a restore that is followed says how far it is, and how fast', async () => {
  const restores = createRestoreStore(bench.api.databases.ops);
  const restore_id = randomUUID();
  const input = { ...asked, restore_id, stamp, request: restoreRequestSchema.parse({}) };
  await restores.open(input, { workflow_id: 'restore', run_id: null });
  const running = bench.cli.start(['restore', 'show', restore_id, '--follow']);
  await said(running, 'requested');
  const entry = { restore_id, result: emptyRestoreResult(), evidence: [] };
  await restores.record({ ...entry, phase: 'beside' });
  await watched(running, 'unpack data', (done_bytes) =>
    restores.tell(restore_id, { step: 'unpack data', done_bytes, total_bytes: 4 * megabyte }),
  );
  // It is of its phase, and gone with it.
  await restores.record({ ...entry, phase: 'compare' });
  expect((await bench.api.ask('GET', `/v1/restores/${restore_id}`)).body).toMatchObject({ progress: null });
  await restores.record({ ...entry, phase: 'closed', result: { ...entry.result, outcome: 'cancelled' } });
  expect((await running.end).exitCode).toBe(1);
});

test('O3 B5 so does a pull', async () => {
  const runs = createBackupRunStore(bench.api.databases.ops);
  const backup_id = randomUUID();
  const input = { ...asked, backup_id, request: { target: 'nas', stamp } };
  await runs.open('pull', stamp, input, { workflow_id: 'pull/nas', run_id: null });
  const running = bench.cli.start(['backup', 'run', backup_id, '--follow']);
  await said(running, 'requested');
  const entry = { backup_id, stamp, evidence: [] };
  await runs.record({ ...entry, phase: 'fetch', result: emptyBackupResult() });
  await watched(running, 'download', (done_bytes) =>
    runs.tell(backup_id, { step: 'download', done_bytes, total_bytes: 4 * megabyte }),
  );
  await runs.record({ ...entry, phase: 'closed', result: { ...emptyBackupResult(), outcome: 'pulled' } });
  expect(await running.end).toMatchObject({ exitCode: 0, stdout: `pull ${stamp}: pulled\n` });
});

test('O3 B5 and a push that is waited for, with what comes of each copy, and a target that sleeps', async () => {
  const { ops } = bench.api.databases;
  const offsite = createOffsiteStore(ops);
  const spec = { kind: 'directory' as const, path: '/nowhere' };
  const target = { name: 'nas', id: randomUUID(), box: 'testbox', spec, enabled: true, actor: 'tester' };
  await offsite.put({ ...target, retention: 'same' });
  const { folder, stamp: newest } = writePoint(join(bench.home, 'points'), { box: 'testbox', bytes: 10 });
  const signed = signedManifestSchema.parse(JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')));
  await createRecoveryPointStore(ops).record(signed.manifest, 'testbox');
  const running = bench.cli.start(['backup', 'push', 'nas', '--wait']);
  try {
    // Somebody else who looks sees what is waited for.
    for (let due = 0; due === 0;) ({ due } = await lagOf('nas'));
    await offsite.beginCopy('nas', { stamp: newest, bytes: 4 * megabyte });
    await watched(running, newest, (bytes) => offsite.tell('nas', newest, bytes));
    await offsite.record('nas', newest, { state: 'away', reason: 'the disk is not mounted', bytes: 0 });
    await said(running, '  nas is away: the disk is not mounted; it is tried again by itself\n');
    await offsite.record('nas', newest, { state: 'verified', reason: 'read back whole', bytes: 4 * megabyte });
    expect(await running.end).toMatchObject({ exitCode: 0, stdout: 'nas has all\n' });
    expect(running.said()).toContain(`✓ ${newest}: verified\n`);
  } finally {
    await bench.api.temporal.client.workflow
      .getHandle('push/nas')
      .terminate()
      .catch(() => undefined);
  }
});
