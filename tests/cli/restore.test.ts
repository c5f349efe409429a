import type { Health } from '../../domain/health.ts';
import { emptyRestoreResult } from '../../domain/restore/result.ts';
import { restoreSchema, type Restore } from '../../domain/restore/schemas.ts';
import { createFolder } from '../support/own-home.ts';
import { startBrokenApi } from './broken-api.ts';
import { createCli } from './run-cli.ts';

const folder = createFolder();
afterAll(() => folder.remove());

const well = { state: 'ok', version: null, reason: null } as const;
const health: Health = {
  ...{ build_sha: 'a', build_time: 'a', build_branch: 'a', status: 'ok', versions: {} },
  servers: { temporal: well, postgres: well, qdrant: well, worker: well },
  embeddings: { state: 'none', identity: 'none', reason: null },
  checked_at: '2026-11-22T02:00:00.000Z',
};
const held: Restore = restoreSchema.parse({
  ...{ id: '11111111-1111-4111-8111-111111111111', stamp: '20261122T020000Z-0001', box: 'b', actor: 'tester' },
  ...{
    trigger: 'operator',
    request: {},
    phase: 'held',
    progress: null,
    evidence: [],
    workflow_id: 'restore',
    run_id: null,
    run_url: null,
  },
  result: { ...emptyRestoreResult(), live: 'restored', held_until: '2026-11-23T02:00:00.000Z' },
  ...{ requested_at: '2026-11-22T02:00:00.000Z', closed_at: null },
});
const event = (restore: Restore) => `event: restore\ndata: ${JSON.stringify(restore)}\n\n`;

test('B6 O3 6: an undo that has to wait for a service was not done, and says what is in its way', async () => {
  const looked = {
    check: 'undo',
    phase: 'undo',
    ok: false,
    reason: 'web runs',
    detail: {},
    at: held.requested_at,
  } as const;
  const again: Restore = { ...held, evidence: [looked] };
  const api = await startBrokenApi([
    ...[{ json: health }, { json: held }, { status: 202, json: held }],
    { stream: [event(held), event({ ...held, phase: 'undo' }), event(again)] },
  ]);
  const cli = createCli(folder.path, { HOLDFAST_URL: api.url, HOLDFAST_TOKEN: 'any' });
  const { exitCode, stderr } = await cli.run(['restore', 'undo', held.id, '--wait']);
  await api.close();
  expect(exitCode).toBe(6);
  expect(stderr).toMatch(/undo: not done \(web runs\)\nnext: stop what it names, then holdfast restore undo\n$/);
});
