import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { openTarget, type TargetPlace } from '../../adapters/offsite/open-target.ts';
import type { StoredTarget } from '../../adapters/postgres/offsite.ts';
import type { TargetPut } from '../../domain/offsite/schemas.ts';
import type { Route } from '../../api/route.ts';
import { offsiteRoutes, type OffsiteRouteDeps } from '../../api/routes/offsite.ts';
import { createFolder } from '../support/own-home.ts';

const folder = createFolder();
afterAll(() => folder.remove());

/** The rows of one target, and how it is put. */
function createRows() {
  const rows: { target: StoredTarget | null; copies: string[] } = { target: null, copies: [] };
  const offsite = {
    find: async () => rows.target,
    put: async (target: object) =>
      void (rows.target = { ...target, since: new Date(), looked_at: null } as StoredTarget),
    forgetCopies: async () => void rows.copies.splice(0),
    lag: async () => ({ waiting: 0, waiting_bytes: 0, lag_seconds: 0, newest_verified: null }),
    copies: async () => [],
    due: async () => 0,
  };
  const handlers = new Map<string, (call: object) => Promise<unknown>>();
  const route = ((name: string, handler: never) => void handlers.set(name, handler)) as unknown as Route;
  offsiteRoutes(route, {
    ...{ offsite, box: 'test', offsiteRuns: { push: async () => undefined } },
    openTarget: (place: TargetPlace, signal: AbortSignal) =>
      openTarget(place, { env: {}, scratch: join(folder.path, 'scratch'), signal }),
  } as unknown as OffsiteRouteDeps);
  const put = (path: string, adopt = false) => {
    const body: TargetPut = { spec: { kind: 'directory', path }, enabled: true, adopt };
    return handlers.get('offsite_put')?.({ params: { name: 'nas' }, body, caller: { actor: 'tester' } });
  };
  return { rows, put };
}

const disk = (name: string): string => {
  const path = join(folder.path, name);
  mkdirSync(path);
  return path;
};

test('B5 copies count at the place at which they were read back: not at another one, and not where it was emptied', async () => {
  const { rows, put } = createRows();
  const one = disk('one');
  await put(one);
  rows.copies.push('a point');
  await put(one);
  expect(rows.copies).toEqual(['a point']);

  const { id } = rows.target ?? {};
  rmSync(join(one, 'holdfast-target.json'));
  await put(one);
  expect([rows.copies, rows.target?.id]).toEqual([[], id]);

  rows.copies.push('a point');
  await put(disk('two'));
  expect(rows.copies).toEqual([]);

  const another = createRows();
  await another.put(disk('three'));
  rows.copies.push('a point');
  await expect(put(join(folder.path, 'three'))).rejects.toThrow('already');
  expect(rows.copies).toEqual(['a point']);
  await put(join(folder.path, 'three'), true);
  expect([rows.copies, rows.target?.id]).toEqual([[], another.rows.target?.id]);
});
