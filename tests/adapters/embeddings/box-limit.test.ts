import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createBoxLimit } from '../../../adapters/embeddings/box-limit.ts';
import { connect, type Sql } from '../../../adapters/postgres/connect.ts';
import { servers } from '../../support/servers.ts';

const never = (): AbortSignal => new AbortController().signal;
const pools: Sql[] = [];
afterEach(() => Promise.all(pools.splice(0).map((sql) => sql.end())));

/** Limits of as many workers, each with connections of its own, as processes have them. */
function workersOf(box: string, count: number, atOnce: number) {
  return Array.from({ length: count }, () => {
    const sql = connect(servers().databaseUrl, { name: 'holdfast-test', max: 1 });
    pools.push(sql);
    return { sql, limit: createBoxLimit(sql, { box, atOnce }) };
  });
}

function boxOfItsOwn(): string {
  return `box-${randomBytes(4).toString('hex')}`;
}

function gauge() {
  const seen = { now: 0, most: 0, turns: 0 };
  const work = async (): Promise<number> => {
    seen.now += 1;
    seen.most = Math.max(seen.most, seen.now);
    await sleep(10);
    seen.now -= 1;
    return (seen.turns += 1);
  };
  return { seen, work };
}

test.each([1, 2])('W8 of four workers of a box never more than %i embed at the same time', async (atOnce) => {
  const { seen, work } = gauge();
  const workers = workersOf(boxOfItsOwn(), 4, atOnce);
  const turns = workers.flatMap(({ limit }) => Array.from({ length: 6 }, () => limit.run(work, never())));
  await Promise.all(turns);
  expect(seen).toEqual({ now: 0, most: atOnce, turns: 24 });
});

test('W8 every worker gets its turns, though another one always wants one', async () => {
  const [greedy, other] = workersOf(boxOfItsOwn(), 2, 1);
  const state = { done: false };
  const hungry = (async () => {
    while (!state.done) await greedy?.limit.run(() => sleep(5), never());
  })();
  for (let turn = 0; turn < 5; turn += 1) await other?.limit.run(() => sleep(1), never());
  state.done = true;
  await expect(hungry).resolves.toBeUndefined();
});

test('W8 boxes do not wait for each other', async () => {
  const [one] = workersOf(boxOfItsOwn(), 1, 1);
  const [other] = workersOf(boxOfItsOwn(), 1, 1);
  const answer = await one?.limit.run(
    async () => other?.limit.run(() => Promise.resolve('its own turn'), never()),
    never(),
  );
  expect(answer).toBe('its own turn');
});

test('W8 a worker that is killed in its turn leaves it to the next one', async () => {
  const box = boxOfItsOwn();
  const [killed, next] = workersOf(box, 2, 1);
  const admin = connect(servers().databaseUrl, { name: 'holdfast-test', max: 1 });
  pools.push(admin);
  let begun: () => void = () => undefined;
  const atWork = new Promise<void>((resolve) => (begun = resolve));
  let end: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (end = resolve));
  const turn = killed?.limit.run(() => (begun(), held), never()).catch((error: unknown) => error);
  await atWork;
  // What the server sees of a process that is gone: its connection ends.
  await admin`
    select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted
      and classid::bigint = hashtext(${`holdfast.embedding.${box}`})::bigint & 4294967295`;
  await expect(next?.limit.run(() => Promise.resolve('mine'), never())).resolves.toBe('mine');
  end();
  await turn;
});

test('an abort ends the wait at once, and the turn goes to whoever is next', async () => {
  const [one, two, three] = workersOf(boxOfItsOwn(), 3, 1);
  const abort = new AbortController();
  let end: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (end = resolve));
  let first: Promise<void> | undefined;
  // The others come when the first has its turn.
  await new Promise<void>((resolve) => {
    first = one?.limit.run(() => {
      resolve();
      return held;
    }, never());
  });
  const second = two?.limit.run(() => Promise.resolve('not wanted'), abort.signal);
  const third = three?.limit.run(() => Promise.resolve('third'), never());
  const reason = new Error('not wanted any more');
  setTimeout(() => abort.abort(reason), 50);
  await expect(second).rejects.toBe(reason);
  end();
  await expect(third).resolves.toBe('third');
  await first;
});

test('work that fails gives its turn back', async () => {
  const [one, two] = workersOf(boxOfItsOwn(), 2, 1);
  await expect(one?.limit.run(() => Promise.reject(new Error('its own')), never())).rejects.toThrow('its own');
  await expect(two?.limit.run(() => Promise.resolve(2), never())).resolves.toBe(2);
  await expect(one?.limit.run(() => Promise.resolve(1), never())).resolves.toBe(1);
});
