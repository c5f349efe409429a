import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { identityOf } from '../../adapters/process/identity.ts';
import { writeAtomically } from '../../infra/write-atomically.ts';
import { prepareHome, type Home } from '../../infra/stack/home.ts';
import { stopLeftovers } from '../../infra/stack/process-record.ts';
import { supervise, type Part } from '../../infra/stack/supervised.ts';
import { configFor, createFolder } from '../support/own-home.ts';

const folder = createFolder();
let home: Home;

beforeAll(async () => {
  home = await prepareHome(configFor(join(folder.path, 'home')));
});
afterAll(() => folder.remove());

function part(name: string, script: string): Part {
  return { name, argv: [process.execPath, '-e', script], env: {}, stopSignal: 'SIGTERM' };
}

test('a process that dies at once is started again ever more slowly, and can be stopped in a pause', async () => {
  const said: string[] = [];
  const dying = await supervise(home, part('dying', 'console.log("here I die"); process.exit(3)'), (line) =>
    said.push(line),
  );
  while (said.length < 3) await sleep(20);
  expect(said.map((line) => / in (\S+) s\./.exec(line)?.[1])).toEqual(['0.2', '0.4', '0.8']);
  expect(said[0]).toContain('dying ended (exit code 3)');
  const since = Date.now();
  await dying.stop();
  expect(Date.now() - since).toBeLessThan(500);
  expect(readFileSync(join(home.logs, 'dying.log'), 'utf8')).toBe('here I die\n'.repeat(3));
  expect(statSync(join(home.logs, 'dying.log')).mode & 0o777).toBe(0o600);
});

test('a program that is not there is said and tried again, not thrown', async () => {
  const said: string[] = [];
  const absent: Part = { ...part('absent', ''), argv: ['/no/such/program'] };
  const supervised = await supervise(home, absent, (line) => said.push(line));
  while (said.length < 1) await sleep(20);
  expect(said[0]).toContain('absent ended (spawn /no/such/program ENOENT)');
  await supervised.stop();
});

test('a process that is stopped is not started again, and its record goes', async () => {
  const supervised = await supervise(home, part('steady', 'setInterval(() => {}, 1000)'), () => undefined);
  expect(readdirSync(home.run)).toContain('process-steady.json');
  const pid = supervised.pid() ?? 0;
  await supervised.stop();
  expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  expect(readdirSync(home.run)).not.toContain('process-steady.json');
});

describe('what an earlier run recorded', () => {
  test('a process of that record is stopped', async () => {
    const left = spawn('sleep', ['600'], { stdio: 'ignore' });
    const exit = once(left, 'exit');
    const record = { part: 'temporal', stop_signal: 'SIGTERM', ...identityOf(left.pid ?? 0) };
    await writeAtomically(join(home.run, 'process-temporal.json'), JSON.stringify(record));
    expect(await stopLeftovers(home)).toEqual(['temporal']);
    expect(await exit).toEqual([null, 'SIGTERM']);
    expect(existsSync(join(home.run, 'process-temporal.json'))).toBe(false);
  });

  test.each([{ start_time: 1 }, { boot_id: 'the boot before' }])(
    'a process that only has the same pid is left alone: %j',
    async (other) => {
      const foreign = spawn('sleep', ['600'], { stdio: 'ignore' });
      const record = { part: 'temporal', stop_signal: 'SIGTERM', ...identityOf(foreign.pid ?? 0), ...other };
      await writeAtomically(join(home.run, 'process-temporal.json'), JSON.stringify(record));
      expect(await stopLeftovers(home)).toEqual([]);
      expect(foreign.exitCode ?? foreign.signalCode).toBeNull();
      expect(identityOf(foreign.pid ?? 0)).not.toBeNull();
      foreign.kill('SIGKILL');
      await once(foreign, 'exit');
    },
  );
});
