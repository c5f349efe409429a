import { aliveAt } from '../../../domain/generation/generation.ts';
import { mayPin, refusalToRollBack } from '../../../domain/generation/rules.ts';
import type { Steps } from './simulated-actors.ts';
import {
  copyOf,
  doom,
  emptyPostgres,
  keysOfContent,
  rowsAt,
  type Content,
  type KeptRules,
  type Request,
  type SimulatedPoint,
  type SimulatedPostgres,
} from './simulated-stores.ts';

/** A process, or one attempt of an activity. */
export interface Actor {
  readonly steps: Steps;
  state: 'running' | 'done' | 'failed';
  error: unknown;
  /** Nobody waits for it any more; it does not know that yet. */
  givenUp: boolean;
  endsAt: number;
  /** Shared with its requests. */
  readonly sender: { over: boolean };
}

interface Reader {
  readonly generation: number;
  readonly until: number;
  readonly expected: readonly string[];
}

const readerBound = 30;
const requestBound = 15;
const heartbeatBound = 10;

/** One project in both stores, its processes, and what was promised to its readers. */
export class World {
  now = 0;
  readonly settle = Math.max(readerBound, heartbeatBound + requestBound);
  pg: SimulatedPostgres = emptyPostgres();
  points = new Map<string, SimulatedPoint>();
  readonly pins = new Map<string, number>();
  /** What each committed number is, for ever. */
  committed = new Map<number, Content>([[0, new Map()]]);
  backup: Pick<World, 'pg' | 'points' | 'committed'> | null = null;
  actors: Actor[] = [];
  wire: Request[] = [];
  /** Those whose sender has heard that they are lost, and that are not: G9 knows no bound for them. */
  late: Request['apply'][] = [];
  /** A request came late, or a restore took points away: until the next comparison a reader may miss something. */
  disturbed = false;
  private readers: Reader[] = [];
  private readonly promised = new Map<number, string>();
  private current: Actor | null = null;

  constructor(readonly rules: KeptRules) {}

  contentOf(generation: number): Content {
    return this.committed.get(generation) ?? new Map<string, readonly string[]>();
  }

  spawn(steps: Steps): Actor {
    const actor: Actor = {
      ...{ steps, state: 'running', error: null, givenUp: false, endsAt: Infinity },
      sender: { over: false },
    };
    this.actors.push(actor);
    return actor;
  }

  advance(actor: Actor): void {
    const outer = this.current;
    this.current = actor;
    try {
      if (actor.steps.next().done === true) actor.state = 'done';
    } catch (error) {
      actor.state = 'failed';
      actor.error = error;
      if (error instanceof Error && error.message.startsWith('Two of')) throw error;
    } finally {
      this.current = outer;
    }
  }

  send(apply: Request['apply']): Request {
    const sender = this.current?.sender ?? { over: false };
    const request: Request = { apply, sender, arrivesUntil: this.now + requestBound, state: 'under way' };
    this.wire.push(request);
    return request;
  }

  arrive(request: Request): void {
    this.wire = this.wire.filter((other) => other !== request);
    request.state = 'done';
    if (request.sender.over) this.disturbed = true;
    request.apply(this.points);
  }

  lose(request: Request, onlyForItsSender: boolean): void {
    this.wire = this.wire.filter((other) => other !== request);
    request.state = 'lost';
    if (onlyForItsSender) this.late.push(request.apply);
  }

  arriveLate(pick: number): void {
    const [apply] = this.late.splice(pick % Math.max(1, this.late.length), 1);
    if (apply === undefined) return;
    this.disturbed = true;
    apply(this.points);
  }

  /** Time is when deadlines pass: of requests, readers, and processes that have lost their server. */
  pass(time: number): void {
    this.now += time;
    for (const request of this.wire.filter(({ arrivesUntil }) => arrivesUntil < this.now)) this.arrive(request);
    for (const actor of this.actors.filter(({ endsAt }) => endsAt < this.now)) this.kill(actor);
    this.readers = this.readers.filter(({ until }) => until > this.now);
  }

  kill(actor: Actor): void {
    actor.state = actor.state === 'running' ? 'failed' : actor.state;
    actor.error ??= new Error('killed');
    actor.sender.over = true;
  }

  /** Temporal does not hear of it any more: it works on for as long as a heartbeat may be away. */
  giveUp(actor: Actor): void {
    actor.givenUp = true;
    actor.sender.over = true;
    actor.endsAt = Math.min(actor.endsAt, this.now + heartbeatBound);
  }

  read(pick: number): void {
    const readable = [...this.pg.generations.values()]
      .filter(({ state, number }) => state === 'committed' && number >= this.pg.gc_floor && number <= this.pg.visible)
      .map(({ number }) => number);
    const generation =
      pick % 2 === 0 ? this.pg.visible : (readable[pick % Math.max(1, readable.length)] ?? this.pg.visible);
    if (generation < this.pg.gc_floor) return;
    const expected = keysOfContent(this.contentOf(generation));
    this.readers.push({ generation, until: this.now + readerBound, expected });
  }

  pin(owner: string): boolean {
    if (!mayPin(this.pg.visible, this.pg)) return false;
    this.pins.set(owner, this.pg.visible);
    return true;
  }

  rollBack(): void {
    const visible = this.pg.generations.get(this.pg.visible) ?? null;
    if (refusalToRollBack(null, this.pg, visible) !== null || visible === null) return;
    if (this.rules.rollbackDoomsWaves) doom(this.pg, this.now);
    Object.assign(visible, { state: 'rolled_back', endedAt: this.now });
    Object.assign(this.pg, { visible: visible.parent, held: true });
  }

  /** Connections to the old database are gone, and with them whoever was reading. */
  restore(): boolean {
    if (this.backup === null) return false;
    const { last_number } = this.pg;
    const pg = copyOf(this.backup.pg);
    pg.incarnation = `life ${this.now} ${this.pg.incarnation}`;
    if (this.rules.numbersAreNeverUsedAgain) pg.last_number = Math.max(last_number, pg.last_number);
    this.pg = pg;
    this.points = structuredClone(this.backup.points);
    this.committed = new Map(this.backup.committed);
    this.readers = [];
    this.disturbed = true;
    for (const actor of this.actors) actor.sender.over = true;
    return true;
  }

  /** What is broken now, in words; null: nothing. */
  broken(): string | null {
    const pinned = [...this.pins.values()].filter((pin) => this.committed.has(pin) && pin <= this.pg.visible);
    const owed = [...this.readers, ...[this.pg.visible, ...pinned].map((generation) => this.owed(generation))];
    for (const { generation, expected } of owed) {
      const wanted = expected.join();
      const rows = rowsAt(this.pg, generation).join();
      if (rows !== wanted) return `at ${generation} rows are ${rows}, and were ${wanted}`;
      const wrong = this.wrongAnswer(generation, expected);
      if (wrong !== null) return wrong;
    }
    return this.brokenPromise();
  }

  private owed(generation: number): Omit<Reader, 'until'> {
    return { generation, expected: keysOfContent(this.contentOf(generation)) };
  }

  private wrongAnswer(generation: number, expected: readonly string[]): string | null {
    const candidates = [...this.points].filter(([, point]) => aliveAt(point, generation));
    const joined = candidates.filter(([id]) => {
      const row = this.pg.rows.get(id);
      return !this.rules.answersAreJoinedToRows || (row !== undefined && aliveAt(row, generation));
    });
    const answers = joined.map(([id]) => this.pg.rows.get(id)?.key ?? `no row ${id}`).sort();
    const foreign = answers.find((key) => !expected.includes(key));
    if (foreign !== undefined) return `at ${generation} the answer has ${foreign}`;
    if (this.disturbed || generation < this.pg.gc_floor) return null;
    return answers.join() === expected.join()
      ? null
      : `at ${generation} ${answers.join()} is found of ${expected.join()}`;
  }

  /** A number that was ever committed means the same for ever, also in another life of the database. */
  private brokenPromise(): string | null {
    for (const [number, content] of this.committed) {
      const keys = keysOfContent(content).join();
      const before = this.promised.get(number) ?? keys;
      if (before !== keys) return `${number} was ${before}, and is ${keys}`;
      this.promised.set(number, keys);
    }
    return null;
  }
}
