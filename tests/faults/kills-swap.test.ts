import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DatabaseSwap } from '../../adapters/restore/swap-database.ts';
import { connect } from '../../adapters/postgres/connect.ts';
import { packageRoot } from '../../infra/package-root.ts';
import { twoSides, type TwoSides } from '../adapters/restore/two-sides.ts';
import { compileTree } from '../support/compile.ts';
import { createRandom, fullSize } from '../support/proof-size.ts';
import { servers } from '../support/servers.ts';

jest.setTimeout(120_000);

const { root } = compileTree();
let sides: TwoSides;
beforeEach(async () => {
  sides = await twoSides();
});
afterEach(() => sides.close());

/** Returns how many statements it sent; null: it was killed. */
async function swapInProcess(swap: DatabaseSwap, dieBefore: number, killAfterMs?: number): Promise<number | null> {
  const program = join(packageRoot, 'tests/support/swap-and-die.js');
  const child = spawn(
    process.execPath,
    [program, root, servers().databaseUrl, JSON.stringify(swap), String(dieBefore)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let said = '';
  child.stdout.on('data', (text: Buffer) => (said += text.toString()));
  if (killAfterMs !== undefined) setTimeout(() => child.kill('SIGKILL'), killAfterMs);
  await once(child, 'close');
  return child.signalCode === 'SIGKILL' ? null : Number(said);
}

/** One side or the other, whole, and open; and what is not live is there, or kept. */
async function expectWhole({ admin, names, content }: TwoSides): Promise<'old' | 'new'> {
  const live = await content(names.live);
  expect(['old', 'new']).toContain(live);
  const rows = await admin<{ datname: string; datallowconn: boolean }[]>`
    select datname, datallowconn from pg_database where datname like ${`${names.live}%`} order by datname`;
  const other = live === 'old' ? { datname: names.incoming } : { datname: names.outgoing, datallowconn: false };
  expect([...rows]).toMatchObject([{ datname: names.live, datallowconn: true }, other]);
  return live as 'old' | 'new';
}

test('B6 SIGKILL before each statement of a swap, and of the way back: live is one side, whole, and it can be finished', async () => {
  const steps = (await swapInProcess(sides.there, 0)) ?? 0;
  expect(steps).toBeGreaterThanOrEqual(10);
  expect(await swapInProcess(sides.back, 0)).toBe(steps);
  expect(await expectWhole(sides)).toBe('old');
  // Each at full size; else each third, from another one each time.
  const stride = fullSize ? 1 : 3;
  const first = 1 + Math.floor(createRandom()() * stride);
  for (let step = first; step <= steps; step += stride) {
    expect(await swapInProcess(sides.there, step)).toBeNull();
    expect([step, await expectWhole(sides)]).toEqual([step, 'old']);
  }
  expect(await swapInProcess(sides.there, 0)).toBe(steps);
  expect(await expectWhole(sides)).toBe('new');
  for (let step = first; step <= steps; step += stride) {
    expect(await swapInProcess(sides.back, step)).toBeNull();
    expect([step, await expectWhole(sides)]).toEqual([step, 'new']);
  }
  expect(await swapInProcess(sides.back, 0)).toBe(steps);
  expect(await expectWhole(sides)).toBe('old');
});

test('B6 SIGKILL at any moment, under readers that come back at once: live is one side, whole', async () => {
  const random = createRandom();
  const pool = connect(sides.url(sides.names.live), { name: 'holdfast-test-readers', max: 2 });
  const over = new AbortController();
  const readers = [0, 1].map(async () => {
    while (!over.signal.aborted) {
      await pool`select content from side`.catch(() => sleep(5));
    }
  });
  let [killed, through] = [0, 0];
  for (let turn = 0; turn < (fullSize ? 60 : 12); turn += 1) {
    const swap = (await expectWhole(sides)) === 'old' ? sides.there : sides.back;
    if ((await swapInProcess(swap, 0, 120 + random() * 250)) === null) killed += 1;
    else through += 1;
    // What the process that was killed had begun may go on in the server for a moment.
    await sleep(50);
  }
  over.abort();
  await Promise.all(readers);
  await pool.end({ timeout: 1 });
  await expectWhole(sides);
  expect(killed + through).toBeGreaterThan(0);
  expect(killed).toBeGreaterThan(0);
});
