import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { identityOf } from '../../adapters/process/identity.ts';
import { prepareHome } from '../../infra/stack/home.ts';
import { recordProcess } from '../../infra/stack/process-record.ts';
import { supervise } from '../../infra/stack/supervised.ts';
import { removeAbandonedHomes } from '../support/abandoned-homes.ts';
import { configFor, createFolder } from '../support/own-home.ts';

const folder = createFolder();
afterAll(() => folder.remove());

test('a stop while a killed process is being started again does not wait for it, and leaves none', async () => {
  const home = await prepareHome(configFor(join(folder.path, 'home')));
  let starts = 0;
  const preparing = async (): Promise<void> => {
    starts += 1;
    if (starts > 1) await sleep(100);
  };
  const sleeper = { name: 'sleeper', argv: ['/bin/sleep', '600'] as const, env: {}, stopSignal: 'SIGTERM' as const };
  const supervised = await supervise(home, { ...sleeper, prepare: preparing }, () => undefined);
  process.kill(supervised.pid() ?? 0, 'SIGKILL');
  while (starts < 2) await sleep(5);
  const since = Date.now();
  await supervised.stop();
  expect(Date.now() - since).toBeLessThan(2_000);
  expect(supervised.pid()).toBeNull();
});

test('a test run that was killed leaves nothing for longer than until the next one', async () => {
  const run = join(folder.path, 'holdfast-test-killed', 'run');
  mkdirSync(run, { recursive: true });
  const left = spawn('sleep', ['600'], { stdio: 'ignore' });
  const exit = once(left, 'exit');
  const home = { ...(await prepareHome(configFor(join(folder.path, 'other')))), run };
  recordProcess(home, 'temporal', left.pid ?? 0, 'SIGTERM');

  await removeAbandonedHomes(folder.path);
  expect(identityOf(left.pid ?? 0)).not.toBeNull();
  await sleep(20);
  await removeAbandonedHomes(folder.path, 10);
  expect(await exit).toEqual([null, 'SIGTERM']);
  expect(existsSync(join(folder.path, 'holdfast-test-killed'))).toBe(false);
});
