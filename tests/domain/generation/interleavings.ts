import { backingUp, collecting, reconciling, sweeping, waveRun, type Steps } from './simulated-actors.ts';
import { differencesOf, everyRule, unsweptOf, type KeptRules, type Request } from './simulated-stores.ts';
import { World, type Actor } from './simulated-world.ts';

/** What a run came to. */
export interface Finding {
  /** null: nothing was ever wrong. */
  readonly broken: string | null;
  readonly commits: number;
}

const documents = ['a', 'b', 'c'];
const texts = [['x'], ['x', 'y'], ['y', 'z'], ['w', 'x', 'z'], null];

/** Runs the actions that the numbers say, each on what there is to act on; afterwards everything comes to rest. */
export function interleave(choices: readonly number[], rules: KeptRules = everyRule): Finding {
  const world = new World(rules);
  const actions = actionsOn(world);
  let broken: string | null = null;
  try {
    for (const choice of choices) {
      actions[choice % actions.length]?.(Math.floor(choice / actions.length));
      broken = world.broken();
      if (broken !== null) break;
    }
    broken ??= atRest(world);
  } catch (error) {
    broken = error instanceof Error ? error.message : String(error);
  }
  return { broken, commits: world.committed.size - 1 };
}

type Action = (pick: number) => void;

/** Each as often as it is to come. */
function actionsOn(world: World): readonly Action[] {
  const starts = startsOn(world);
  const actor = (act: (one: Actor, pick: number) => void): Action => {
    return (pick) => {
      const running = world.actors.filter(({ state }) => state === 'running');
      const one = running[pick % Math.max(1, running.length)];
      if (one !== undefined) act(one, pick);
    };
  };
  const request = (act: (one: Request, pick: number) => void): Action => {
    return (pick) => {
      const one = world.wire[pick % Math.max(1, world.wire.length)];
      if (one !== undefined) act(one, pick);
    };
  };
  const weighted: readonly (readonly [number, Action])[] = [
    [22, (pick) => proceed(world, pick)],
    [16, actor((one) => world.advance(one))],
    [3, actor((one) => world.kill(one))],
    [2, actor((one) => world.giveUp(one))],
    [8, request((one) => world.arrive(one))],
    [4, request((one, pick) => world.lose(one, pick % 4 > 0))],
    [4, (pick) => world.arriveLate(pick)],
    [7, (pick) => world.pass([1, 6, 20, 40][pick % 4] ?? 1)],
    [4, (pick) => world.read(pick)],
    ...starts,
    [3, () => world.rollBack()],
    [2, () => (world.pg.held = false)],
    [1, (pick) => world.pin(`owner ${pick % 3}`)],
    [1, () => world.pins.clear()],
    [2, () => world.restore() && world.spawn(reconciled(world))],
  ];
  return weighted.flatMap(([times, action]) => Array.from({ length: times }, () => action));
}

/** One of each at a time, unless it is forgotten. */
function startsOn(world: World): readonly (readonly [number, Action])[] {
  let waves = 0;
  const there = new Map<string, Actor>();
  const start = (name: string, steps: (pick: number) => Steps): Action => {
    return (pick) => {
      const before = there.get(name);
      if (before?.state !== 'running' || before.givenUp) there.set(name, world.spawn(steps(pick)));
    };
  };
  return [
    [9, start('wave', (pick) => waveRun(world, plan(pick, (waves += 1))))],
    [5, start('sweep', () => sweeping(world))],
    [3, start('collect', () => collecting(world))],
    [3, start('backup', (pick) => backingUp(world, `backup ${pick}`))],
    [1, start('reconcile', () => reconciled(world))],
  ];
}

/** Everybody who is not forgotten goes on for a while; now and then an answer is lost. */
function proceed(world: World, pick: number): void {
  for (let at = 0; at < 1 + (pick % 40); at += 1) {
    for (const request of world.wire.filter(({ sender }) => !sender.over)) {
      if ((pick + at) % 23 === 0) world.lose(request, pick % 4 > 0);
      else world.arrive(request);
    }
    for (const each of world.actors.filter(({ state, givenUp }) => state === 'running' && !givenUp))
      world.advance(each);
  }
}

/** One or two documents that are other than before, or gone. */
function plan(pick: number, wave: number): Map<string, readonly string[] | null> {
  const changed =
    pick % 2 === 0 ? documents.slice(wave % 3, (wave % 3) + 1) : documents.slice(wave % 2, (wave % 2) + 2);
  return new Map(
    changed.map((document, at) => [document, texts[(Math.floor(pick / 7 ** at) + wave) % texts.length] ?? null]),
  );
}

/** Until there is nothing to repair, and then nothing is disturbed any more, unless something is still on its way. */
function* reconciled(world: World): Steps {
  yield* reconciling(world);
  world.disturbed = world.wire.some(({ sender }) => sender.over);
}

/** Everybody goes home, everything is swept, collected and compared: then both stores are the same, and a wave goes through. */
function atRest(world: World): string | null {
  for (const actor of world.actors) world.kill(actor);
  while (world.late.length > 0) world.arriveLate(0);
  world.pass(world.settle + 1);
  world.pins.clear();
  finish(world, reconciled(world));
  world.pg.held = false;
  // What no run is there to end is ended by the next wave, which then waits for the sweep.
  finish(world, waveRun(world, new Map()));
  for (let at = 0; unsweptOf(world.pg).length > 0; at += 1) {
    if (at === 100) return 'what is unswept stays so';
    world.pass(world.settle + 1);
    finish(world, sweeping(world));
  }
  const before = world.pg.visible;
  finish(world, waveRun(world, new Map([['d', ['new']]])));
  if (world.pg.visible === before) return 'no wave goes through any more';
  const collector = world.spawn(collecting(world));
  world.advance(collector);
  world.pass(world.settle + 1);
  toEnd(world, collector);
  return world.broken() ?? differentStores(world);
}

function differentStores(world: World): string | null {
  const [different] = differencesOf(world.pg, world.points);
  if (different !== undefined) return `at rest the stores differ: ${JSON.stringify(different)}`;
  const orphan = [...world.points.keys()].find((id) => !world.pg.rows.has(id));
  if (orphan !== undefined) return `at rest a point has no row: ${orphan}`;
  const seen = [...world.pg.rows.values()].find(({ born }) => world.pg.generations.get(born)?.state !== 'committed');
  return seen === undefined ? null : `at rest there is a row of generation ${seen.born}, which was never committed`;
}

function finish(world: World, steps: Steps): void {
  toEnd(world, world.spawn(steps));
}

/** Nothing else happens meanwhile; what it started comes first. */
function toEnd(world: World, actor: Actor): void {
  for (let at = 0; actor.state === 'running' && at < 10_000; at += 1) {
    for (const request of world.wire) world.arrive(request);
    for (const each of world.actors.filter(({ state }) => state === 'running')) world.advance(each);
  }
}
