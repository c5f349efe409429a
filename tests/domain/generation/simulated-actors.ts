import { diffIncarnations } from '../../../domain/generation/incarnation-diff.ts';
import {
  isWritable,
  pinsAgainstCollection,
  pinsAgainstSweep,
  raisedFloor,
  refusalToBegin,
  refusalToCommit,
} from '../../../domain/generation/rules.ts';
import { alive } from '../../../domain/generation/generation.ts';
import {
  changeDied,
  differencesOf,
  doom,
  keysOf,
  put,
  removal,
  repairsOf,
  requireOneVersion,
  setDied,
  unsweptOf,
  type Content,
  type Request,
  type Row,
} from './simulated-stores.ts';
import type { World } from './simulated-world.ts';

/** A process, advanced a step at a time; between two steps anything may happen. */
export type Steps = Generator<undefined, void>;

interface Ref {
  readonly number: number;
  readonly incarnation: string;
}

/** One wave, from its plan to its end. `next`: what the sources hold, null for a document that is gone. */
export function* waveRun(world: World, next: ReadonlyMap<string, readonly string[] | null>): Steps {
  const seen = { incarnation: world.pg.incarnation, visible: world.pg.visible };
  const planned = new Map(world.contentOf(seen.visible));
  yield;
  const ref = begin(world, seen);
  if (ref === null) return;
  try {
    for (const [document, texts] of next) {
      if (texts === null) planned.delete(document);
      else planned.set(document, texts);
      yield* attempts(world, () => writing(world, ref, document, texts ?? []));
    }
    yield* attempts(world, () => proving(world, ref));
    yield;
    commit(world, ref, planned);
  } catch (error) {
    if (!(error instanceof Closed)) throw error;
    const generation = world.pg.generations.get(ref.number);
    if (generation && world.pg.incarnation === ref.incarnation && isWritableOrProved(generation.state)) {
      Object.assign(generation, { state: 'discarded', endedAt: world.now });
    }
  }
}

/** Its wave may not write any more. */
class Closed extends Error {}

function isWritableOrProved(state: string): boolean {
  return state === 'writing' || state === 'proved';
}

function begin(world: World, seen: { incarnation: string; visible: number }): Ref | null {
  const { pg, rules } = world;
  doom(pg, world.now);
  const unswept = rules.sweepComesBeforeWriting ? unsweptOf(pg) : [];
  if (refusalToBegin(seen, { ...pg, unswept }) !== null) return null;
  const number = (pg.last_number += 1);
  const { incarnation } = pg;
  pg.generations.set(number, { number, parent: seen.visible, state: 'writing', incarnation, endedAt: world.now });
  return { number, incarnation };
}

/** Tried again until one attempt is through; the ones before it may still be running. */
function* attempts(world: World, steps: () => Steps): Steps {
  for (;;) {
    const attempt = world.spawn(steps());
    while (attempt.state === 'running' && !attempt.givenUp) yield;
    if (attempt.state === 'done') return;
    if (attempt.error instanceof Closed) throw attempt.error;
    yield;
  }
}

function requireWritable({ pg, rules }: World, { number, incarnation }: Ref): void {
  const generation = pg.generations.get(number) ?? null;
  const life = rules.incarnationIsChecked ? incarnation : pg.incarnation;
  const here = generation === null || rules.incarnationIsChecked ? generation : { ...generation, incarnation: life };
  if (life !== pg.incarnation || !isWritable(here, life)) throw new Closed();
}

/** One document: the rows in one transaction, the points after. */
function* writing(world: World, ref: Ref, document: string, texts: readonly string[]): Steps {
  const { number } = ref;
  yield;
  requireWritable(world, ref);
  const { pg } = world;
  const { parent = 0 } = pg.generations.get(number) ?? {};
  const stored = [...pg.rows]
    .filter(
      ([, row]) => row.document === document && (row.born === number || (row.born <= parent && row.died > parent)),
    )
    .map(([id, row]) => ({ id, key: row.key, collection: 'one', born: row.born, died: row.died }));
  const keys = keysOf(document, texts);
  const diff = diffIncarnations({ project: 'p', keys, collection: 'one' }, stored, number);
  writeVersion(pg, document, texts.length > 0, number);
  changeDied(pg.rows, diff.died, alive, number);
  changeDied(pg.rows, diff.revived, number, alive);
  for (const id of diff.stray) pg.rows.delete(id);
  for (const [at, id] of diff.born) {
    if (!pg.rows.has(id)) pg.rows.set(id, { document, key: keys[at] ?? '', born: number, died: alive });
  }
  const requests = [
    ...[...diff.born.values()].map((id) => put(id, { born: number, died: alive })),
    ...diff.died.map((id) => setDied(id, number)),
    ...diff.revived.map((id) => setDied(id, alive)),
    ...diff.stray.map((id) => removal(id)),
  ];
  for (const request of requests) {
    yield;
    requireWritable(world, ref);
    yield* sent(world, request);
  }
}

function writeVersion({ versions }: World['pg'], document: string, there: boolean, number: number): void {
  const before = [...versions].filter(([, row]) => row.document === document && row.born < number);
  changeDied(
    versions,
    before.map(([id]) => id),
    alive,
    number,
  );
  if (there) versions.set(`${document}@${number}`, { document, key: document, born: number, died: alive });
}

function* proving(world: World, ref: Ref): Steps {
  const { number } = ref;
  for (let round = 0; world.rules.proofCompares && round < 3; round += 1) {
    yield;
    requireWritable(world, ref);
    const repairs = [
      ...(['born', 'died'] as const).map((mark) => ({ mark, number })),
      ...differencesOf(world.pg, world.points),
    ].flatMap((what) => repairsOf(world.pg, world.points, what));
    if (repairs.length === 0) break;
    if (round === 2) throw new Closed();
    for (const repair of repairs) {
      requireWritable(world, ref);
      yield* sent(world, repair);
    }
  }
  requireWritable(world, ref);
  const generation = world.pg.generations.get(number);
  if (generation) generation.state = 'proved';
  // That is what it says; whether it is true the readers will see.
  world.disturbed = world.wire.some(({ sender }) => sender.over);
}

function commit(world: World, { number, incarnation }: Ref, content: Content): void {
  const { pg, rules } = world;
  const generation = pg.generations.get(number) ?? null;
  const life = rules.incarnationIsChecked ? incarnation : pg.incarnation;
  const seen = generation && {
    ...generation,
    ...(rules.parentIsChecked ? {} : { parent: pg.visible }),
    ...(rules.incarnationIsChecked ? {} : { incarnation: life }),
  };
  if (refusalToCommit({ incarnation: life }, { ...pg, generation: seen }) !== null) throw new Closed();
  Object.assign(generation ?? {}, { state: 'committed', endedAt: world.now });
  pg.visible = number;
  world.committed.set(number, content);
}

/** Waits for the answer; none in time is a failure of the attempt. */
function* sent(world: World, apply: Request['apply']): Steps {
  const request = world.send(apply);
  while (request.state === 'under way') yield;
  if (request.state === 'lost') throw new Error('timed out');
}

const pageOf = <T>(all: readonly T[]): readonly T[] => all.slice(0, 2);

/** What collect/<project> does to one number. */
export function* sweeping(world: World): Steps {
  const numbers = unsweptOf(world.pg);
  if (numbers.length === 0) return;
  const number = world.rules.latestIsSweptFirst ? Math.max(...numbers) : Math.min(...numbers);
  const { incarnation } = world.pg;
  const mayGoOn = (): boolean => {
    const generation = world.pg.generations.get(number);
    if (world.pg.incarnation !== incarnation || !unsweptOf(world.pg).includes(number)) return false;
    if (world.rules.readersAreWaitedFor && world.now < (generation?.endedAt ?? 0) + world.settle) return false;
    return !world.rules.pinsAreLookedFor || pinsAgainstSweep(number, [...world.pins.values()]).length === 0;
  };
  for (;;) {
    yield;
    if (!mayGoOn()) return;
    if (!sweepRows(world, number)) break;
  }
  for (;;) {
    yield;
    if (!mayGoOn()) return;
    const marks = (['born', 'died'] as const).map((mark) => ({ mark, number }));
    const repairs = pageOf(marks.flatMap((what) => repairsOf(world.pg, world.points, what)));
    if (repairs.length === 0) break;
    for (const repair of repairs) yield* sent(world, repair);
  }
  const generation = world.pg.generations.get(number);
  if (generation) generation.state = 'swept';
}

/** A piece; false: there is none left. */
function sweepRows({ pg }: World, number: number): boolean {
  const tables = [pg.versions, pg.rows];
  for (const table of tables) if (deleteSome(table, ({ born }) => born === number)) return true;
  for (const table of tables) {
    const deaths = pageOf([...table.values()].filter(({ died }) => died === number));
    for (const row of deaths) row.died = alive;
    requireOneVersion(pg);
    if (deaths.length > 0) return true;
  }
  return false;
}

function deleteSome(table: Map<string, Row>, which: (row: Row) => boolean): boolean {
  const some = pageOf([...table].filter(([, row]) => which(row)));
  for (const [id] of some) table.delete(id);
  return some.length > 0;
}

export function* collecting(world: World): Steps {
  const { incarnation } = world.pg;
  const pins = (): number[] => (world.rules.pinsAreLookedFor ? [...world.pins.values()] : []);
  const parent = world.pg.generations.get(world.pg.visible)?.parent ?? 0;
  const floor = (world.pg.gc_floor = raisedFloor(world.pg, parent, pins()));
  const raisedAt = world.now;
  const mayGoOn = (): boolean =>
    world.pg.incarnation === incarnation && pinsAgainstCollection(floor, pins()).length === 0;
  while (world.rules.readersAreWaitedFor && world.now < raisedAt + world.settle) yield;
  for (;;) {
    yield;
    if (!mayGoOn()) return;
    const some = [world.pg.versions, world.pg.rows].some((table) => deleteSome(table, ({ died }) => died <= floor));
    if (!some) break;
  }
  for (;;) {
    yield;
    if (!mayGoOn()) return;
    const dead = pageOf([...world.points].filter(([, { died }]) => died <= floor));
    if (dead.length === 0) return;
    for (const [id] of dead) {
      const row = world.pg.rows.get(id);
      yield* sent(world, row === undefined || row.died <= floor ? removal(id) : setDied(id, row.died));
    }
  }
}

/** G9. At boot, and after a restore. */
export function* reconciling(world: World): Steps {
  for (;;) {
    const repairs = differencesOf(world.pg, world.points).flatMap((what) => repairsOf(world.pg, world.points, what));
    if (repairs.length === 0) return;
    for (const repair of repairs) yield* sent(world, repair);
  }
}

/** G7. Pin, then Postgres, then Qdrant, then look whether the pin still stands. */
export function* backingUp(world: World, owner: string): Steps {
  if (!world.pin(owner)) return;
  yield;
  const pg = structuredClone(world.pg);
  const committed = new Map(world.committed);
  yield;
  const points = structuredClone(world.points);
  yield;
  if (world.pins.has(owner)) world.backup = { pg, committed, points };
}
