import fc from 'fast-check';
import { renewIncarnation } from '../../../adapters/postgres/database-incarnation.ts';
import {
  allPoints,
  allRows,
  beginWave,
  collectAll,
  documentsOf,
  generationsGround,
  keysOf,
  rowsAt,
  sweepAll,
  type Corpus,
  type GenerationsGround,
} from '../../support/generations.ts';

let ground: GenerationsGround;
beforeAll(async () => (ground = await generationsGround()));
afterAll(() => ground.close());

const paths = ['a.md', 'b.md', 'c.md', 'd.md'];
const texts = [['one'], ['one', 'two'], ['two', 'three', 'four'], ['five']];

/** What happens next: the number says how. */
const happening = fc.record({
  what: fc.constantFrom(
    'wave',
    'wave',
    'wave',
    'broken wave',
    'roll back',
    'collect',
    'pin',
    'unpin',
    'late writes',
    'restore',
  ),
  how: fc.nat(10_000),
});

test('G1 to G11 the real stores through random histories: each number means for ever what it was committed as', async () => {
  const history = fc.array(happening, { minLength: 12, maxLength: 16 });
  await fc.assert(fc.asyncProperty(history, live), { numRuns: 5, endOnFailure: true });
}, 600_000);

async function live(happenings: readonly { readonly what: string; readonly how: number }[]): Promise<void> {
  const project = await ground.project();
  const committed = new Map<number, Corpus>([[0, {}]]);
  for (const { what, how } of happenings) {
    await happen(project, committed, what, how);
    await expectKept(project, committed);
  }
  await ground.reconciliation.project(project, new AbortController().signal);
  await cleanUp(project);
  await collectAll(ground, project);
  await expectKept(project, committed);
  await expect(allPoints(ground, await ground.collection(), project)).resolves.toEqual(
    await allRows(ground.sql, project),
  );
}

async function happen(project: string, committed: Map<number, Corpus>, what: string, how: number): Promise<void> {
  switch (what) {
    case 'wave':
    case 'broken wave':
      return wave(project, committed, how, what === 'wave');
    case 'roll back':
      await ground.generations.rollBack(project);
      return;
    case 'collect':
      await collectAll(ground, project);
      return;
    case 'pin':
      await ground.pins.pin(project, null, `owner/${how % 2}`);
      return;
    case 'unpin':
      return ground.pins.unpin(`owner/${how % 2}`, project);
    case 'late writes':
      return lateWrites(project, how);
    default:
      await renewIncarnation(ground.sql);
  }
}

/** Pins that hold up a sweep are gone some day: a backup ends. */
async function cleanUp(project: string): Promise<void> {
  while ((await sweepAll(ground, project)) !== 'done') {
    const held = await ground.garbage.nextToSweep(project);
    const against = (await ground.pins.list(project)).filter(({ generation }) => generation >= (held ?? 0));
    expect(against).not.toEqual([]);
    for (const { owner } of against) await ground.pins.unpin(owner, project);
  }
}

/** A document or two changed, one removed; broken: the attempt dies between the stores, and the run with it. */
async function wave(project: string, committed: Map<number, Corpus>, how: number, whole: boolean): Promise<void> {
  await ground.generations.release(project);
  await cleanUp(project);
  const begun = await beginWave(ground, project).catch(async (error: unknown) => {
    // It has doomed what a run that is gone has left.
    if (!String(error).includes('unswept')) throw error;
    await cleanUp(project);
    return beginWave(ground, project);
  });
  const before = committed.get(begun.parent) ?? {};
  const changed = {
    [paths[how % 4] ?? '']: texts[how % 3] ?? [],
    [paths[(how >> 2) % 4] ?? '']: texts[(how >> 4) % 4] ?? [],
  };
  const gone = paths.filter((path, at) => how % 7 === at && before[path] !== undefined && changed[path] === undefined);
  let requests = how % 4;
  const dying = { holds: async () => (requests -= 1) >= 0 };
  await ground.writer.write(begun.ref, documentsOf(project, changed), dying).catch(() => undefined);
  if (!whole) return;
  await ground.writer.write(begun.ref, documentsOf(project, changed));
  await ground.writer.remove(begun.ref, keysOf(project, gone));
  await expect(ground.proof.prove(begun.ref)).resolves.toMatchObject({ ok: true });
  await expect(ground.generations.commit(begun.ref)).resolves.toEqual({ ok: true });
  const after = Object.entries({ ...before, ...changed }).filter(([path]) => !gone.includes(path));
  committed.set(begun.ref.number, Object.fromEntries(after));
}

/** Without any right: deaths, resurrections and losses, as a writer that is forgotten would bring them. */
async function lateWrites(project: string, how: number): Promise<void> {
  const collection = await ground.collection();
  const points = await allPoints(ground, collection, project);
  const one = points[how % Math.max(1, points.length)];
  if (one === undefined) return;
  const payload = { died: how % 3 === 0 ? Number.MAX_SAFE_INTEGER : (how % 5) + 1 };
  if (how % 2 === 0) await ground.qdrant.setPayload(collection, { payload, points: [one.id], wait: true });
  else await ground.qdrant.delete(collection, { points: [one.id], wait: true });
}

/** What is visible, and what is pinned. */
async function expectKept(project: string, committed: ReadonlyMap<number, Corpus>): Promise<void> {
  const { visible } = (await ground.generations.standing(project)) ?? { visible: 0 };
  const pinned = (await ground.pins.list(project)).map(({ generation }) => generation);
  for (const generation of new Set([visible, ...pinned])) {
    await expect(rowsAt(ground.sql, project, generation)).resolves.toEqual(committed.get(generation));
  }
}
