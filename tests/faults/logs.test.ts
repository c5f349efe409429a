import { setTimeout as sleep } from 'node:timers/promises';
import { createServiceLog, type ServiceLog } from '../../adapters/logs/service-log.ts';
import { createInstanceStore } from '../../adapters/postgres/instances.ts';
import { connect, type Sql } from '../../adapters/postgres/connect.ts';
import { createProcessLogs } from '../../adapters/process/log-reader.ts';
import type { ServiceLogPage } from '../../domain/log.ts';
import { findProcess } from '../../adapters/process/identity.ts';
import { makeBox, service, until, type Box } from '../support/box.ts';
import { placedInstances } from '../support/placed-instance.ts';
import { createRandom, fullSize, seed } from '../support/proof-size.ts';
import { freshDatabases, type TestDatabases } from '../support/servers.ts';

/**
 * Proof 6 of issue 4: real keepers, instance rows in a real Postgres, a client that polls. Every start of the service counts
 * its own lines from 0, so it is plain what was read, what twice, and what not.
 */
const starts = 5;
const linesEach = fullSize ? 20_000 : 2_000;
const random = createRandom();

let databases: TestDatabases;
let rows: Awaited<ReturnType<typeof placedInstances>>;
let box: Box;
beforeAll(async () => {
  databases = await freshDatabases();
  rows = await placedInstances(databases.ops, service, 'testbox');
});
beforeEach(() => (box = makeBox()));
afterEach(async () => {
  await box.close();
  await databases.ops`delete from instances`;
});
afterAll(() => databases.drop());

/** What an API that was just started has: nothing but the folder and the database. */
function freshLog(sql: Sql): ServiceLog {
  const logs = createProcessLogs({ root: box.root });
  return createServiceLog({
    instances: createInstanceStore(sql),
    sourceOf: () => logs,
    isRunning: (instance) => logs.isRunning(instance),
  });
}

/** Another API every few polls. */
function restartedApi() {
  let [sql, log, polls] = [null as Sql | null, null as ServiceLog | null, 0];
  const end = async (): Promise<void> => {
    await sql?.end();
    [sql, log] = [null, null];
  };
  return {
    end,
    async read(cursor: string | null, limit: number): Promise<ServiceLogPage> {
      if (polls++ % 25 === 0) await end();
      log ??= freshLog((sql ??= connect(databases.opsUrl, { name: 'holdfast-test-api', max: 2 })));
      return log.read(service, cursor, limit);
    },
  };
}

const fillingOf = (number: number) => 'x'.repeat((number * 37) % 300);
/** Says its lines in pieces that no line has to do with, and ends. */
const counting = (count: number, pauseMs: number) => `
  let n = 0;
  const say = () => {
    let text = '';
    for (let i = 0; i < 50 && n < ${count}; i++, n++) text += 'line ' + n + ' ' + 'x'.repeat((n * 37) % 300) + '\\n';
    if (text !== '') process.stdout.write(text, () => setTimeout(say, ${pauseMs}));
  };
  say();`;

/** What a client got that goes on with `cursor`, and what of it was not as promised. */
class Client {
  /** Epochs in the order in which they came, with how many lines of each. */
  readonly epochs = new Map<string, number>();
  readonly broken: string[] = [];
  readonly fragments: string[] = [];
  said = 0;
  #next = 0;
  #epoch: string | null = null;
  #warned = false;

  take({ logs, truncated, epoch, cursor, end_cursor, has_more }: ServiceLogPage): void {
    if (has_more !== (cursor !== end_cursor)) this.broken.push(`has_more ${has_more} before ${end_cursor}`);
    if (truncated) this.said += 1;
    this.#warned ||= truncated;
    if (epoch !== this.#epoch) this.#enter(epoch ?? 'none');
    for (const line of logs) this.#takeLine(line);
  }

  #enter(epoch: string): void {
    if (this.epochs.has(epoch)) this.broken.push(`${epoch} again`);
    if (this.#epoch !== null && this.#next !== linesEach && !this.#warned)
      this.broken.push(`${epoch} after ${this.#next}`);
    this.epochs.set(epoch, 0);
    [this.#epoch, this.#next] = [epoch, 0];
  }

  #takeLine(line: string): void {
    const [, digits = '', filling] = /^line (\d+) (x*)$/.exec(line) ?? [];
    const number = Number(digits);
    if (digits === '' || filling !== fillingOf(number)) {
      this.fragments.push(line);
      return;
    }
    const isNext = number === this.#next || (number > this.#next && this.#warned);
    if (!isNext) this.broken.push(`${this.#epoch ?? ''}: ${number} after ${this.#next - 1}`);
    this.epochs.set(this.#epoch ?? '', (this.epochs.get(this.#epoch ?? '') ?? 0) + 1);
    [this.#next, this.#warned] = [number + 1, false];
  }

  /** Is what was read last the end of what was said? */
  get isAtEnd(): boolean {
    return this.#next === linesEach;
  }
}

async function pollUntil(
  from: string,
  over: () => boolean,
  limit: () => number,
  pauseMs: () => number,
): Promise<Client> {
  const [api, client] = [restartedApi(), new Client()];
  let cursor = from;
  for (;;) {
    const last = over();
    const page = await api.read(cursor, limit());
    client.take(page);
    cursor = page.cursor;
    if (last && !page.has_more) break;
    if (!page.has_more || pauseMs() > 0) await sleep(pauseMs() + 5);
  }
  await api.end();
  return client;
}

/** By another worker each time: what it started outlives it. */
async function start(limits?: { segment_bytes: number; segments: number }, pauseMs = 1): Promise<string> {
  const instance = box.instance();
  await rows.place(instance);
  await box.driver(limits).start(box.request(instance, counting(linesEach, pauseMs)));
  return instance;
}

const hasEnded = async (instance: string) => !(await box.driver().inspect(service, instance)).running;

async function killKeeper(instance: string): Promise<void> {
  const keeper = box.keeperPid(instance);
  process.kill(keeper, 'SIGKILL');
  // The next worker that looks gives it another one.
  await until(() => findProcess(keeper) === null);
  await box.driver().inspect(service, instance);
}

/** Each start follows the one before when that has ended or, start-first, in the midst of it. */
async function run(killed: number, limits?: { segment_bytes: number; segments: number }): Promise<string[]> {
  const names: string[] = [];
  for (let index = 0; index < starts; index += 1) {
    const before = names.at(-1);
    // One that is killed must be in the midst of it.
    const name = await start(limits, index === killed ? 10 : 1);
    names.push(name);
    if (before !== undefined) await until(() => hasEnded(before), 60_000);
    if (before !== undefined) await rows.giveUp(before);
    await sleep(random() * 100);
    if (index === killed) await killKeeper(name);
    if (index % 2 === 0) await until(() => hasEnded(name), 60_000);
  }
  // Their keepers live a moment longer, in which nobody can know that nothing comes any more.
  const logs = createProcessLogs({ root: box.root });
  for (const instance of names) await until(async () => !(await logs.isRunning({ service, instance })), 60_000);
  return names;
}

async function whilePolling(work: () => Promise<string[]>, limit: () => number, pauseMs: () => number) {
  const api = restartedApi();
  // From before the first start.
  const { cursor } = await api.read(null, 1);
  await api.end();
  let over = false;
  const ended = work().finally(() => (over = true));
  const [names, client] = await Promise.all([ended, pollUntil(cursor, () => over, limit, pauseMs)]);
  return { names, client };
}

const anyLimit = () => 1 + Math.floor(random() * 1_000);
const total = `${starts * linesEach} lines, seed ${seed}`;

test(`D14 a client that polls gets every line once, over all starts (${total})`, async () => {
  const { names, client } = await whilePolling(
    () => run(-1),
    anyLimit,
    () => 0,
  );
  expect([client.broken, client.fragments, client.said]).toEqual([[], [], 0]);
  expect([...client.epochs]).toEqual(names.map((name) => [name, linesEach]));
}, 300_000);

test(`D14 a keeper that is killed costs nothing that is not said (${total})`, async () => {
  const { names, client } = await whilePolling(
    () => run(3),
    anyLimit,
    () => 0,
  );
  expect(client.broken).toEqual([]);
  expect([...client.epochs.keys()]).toEqual(names);
  const note = '[holdfast] another keeper took over; the line before this one may be incomplete';
  expect(client.fragments).toContain(note);
  // The line that it was in the midst of.
  expect(client.fragments.length).toBeLessThanOrEqual(3);
  const counts = [...client.epochs.values()];
  expect(counts.toSpliced(3, 1)).toEqual(Array<number>(starts - 1).fill(linesEach));
  expect(client.isAtEnd).toBe(true);
}, 300_000);

test(`D14 a client that is too slow for the log is told, and what it gets is in order (${total})`, async () => {
  const limits = { segment_bytes: 20_000, segments: 3 };
  const { names, client } = await whilePolling(
    () => run(-1, limits),
    () => 40,
    () => 20,
  );
  expect(client.broken).toEqual([]);
  expect(client.fragments).toEqual([]);
  expect(client.said).toBeGreaterThan(0);
  expect([...client.epochs.values()].reduce((sum, count) => sum + count, 0)).toBeLessThan(starts * linesEach);
  expect(client.isAtEnd).toBe(true);
  expect([...client.epochs.keys()].at(-1)).toBe(names.at(-1));
}, 300_000);

test('D14 logs that were pruned before they were read: truncated, then the oldest that is there', async () => {
  const api = restartedApi();
  const { cursor } = await api.read(null, 1);
  const [first, second] = [await start(undefined, 0), await start(undefined, 0)];
  await until(async () => (await hasEnded(first)) && (await hasEnded(second)));
  const begun = await api.read(cursor, 10);
  expect(begun).toMatchObject({ epoch: first, truncated: false });
  await box.driver().prune(service, [second]);
  const page = await api.read(begun.cursor, 10);
  expect(page).toMatchObject({ epoch: second, truncated: true });
  expect(page.logs[0]).toBe('line 0 ');
  await api.end();
}, 60_000);
