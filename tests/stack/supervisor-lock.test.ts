import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { prepareHome } from '../../infra/stack/home.ts';
import { AlreadyRunning, claimSupervision, supervisorOf } from '../../infra/stack/supervisor-lock.ts';
import { compileTree } from '../support/compile.ts';
import { configFor, createFolder } from '../support/own-home.ts';

const folder = createFolder();
afterAll(() => folder.remove());

const dead = JSON.stringify({ pid: 4_000_000, start_time: 1, boot_id: 'the boot before' });

/** A process that claims at `at`, and lives until it is told to end: what it holds, it holds as long as others try. */
function startClaimant(run: string, at: number): ChildProcessByStdio<Writable, Readable, null> {
  const lock = pathToFileURL(compileTree().program('infra/stack/supervisor-lock.js')).href;
  const script = `import { claimSupervision } from ${JSON.stringify(lock)};
    while (Date.now() < ${at});
    await claimSupervision({ run: ${JSON.stringify(run)} }).then(() => console.log('held'), (e) => console.log(e.name));
    process.stdin.resume();`;
  const argv = ['--input-type=module', '-e', script];
  return spawn(process.execPath, argv, { stdio: ['pipe', 'pipe', 'inherit'] });
}

test('of several that take over from a killed supervisor at one moment, exactly one does', async () => {
  compileTree();
  for (let round = 1; round <= 5; round += 1) {
    const run = join(folder.path, `race-${round}`);
    mkdirSync(run);
    writeFileSync(join(run, 'supervisor.7.json'), dead);
    const at = Date.now() + 700;
    const claimants = Array.from({ length: 4 }, () => startClaimant(run, at));
    const said = await Promise.all(claimants.map(({ stdout }) => once(stdout, 'data').then(String)));
    for (const { stdin } of claimants) stdin.end();
    await Promise.all(claimants.map((claimant) => once(claimant, 'exit')));
    expect(said.filter((line) => line === 'held\n')).toHaveLength(1);
    expect(said.filter((line) => line === 'AlreadyRunning\n')).toHaveLength(3);
  }
}, 30_000);

test('what was given back can be claimed again; until then it cannot', async () => {
  const home = await prepareHome(configFor(join(folder.path, 'home')));
  expect(await supervisorOf(home)).toBeNull();
  const release = await claimSupervision(home);
  expect((await supervisorOf(home))?.pid).toBe(process.pid);
  await expect(claimSupervision(home)).rejects.toThrow(AlreadyRunning);
  await release();
  expect(await supervisorOf(home)).toBeNull();
  await (
    await claimSupervision(home)
  )();
});

test('a claim of which only half was written is nobody’s', async () => {
  const run = join(folder.path, 'half');
  mkdirSync(run);
  writeFileSync(join(run, 'supervisor.3.json'), dead.slice(0, 10));
  expect(await supervisorOf({ run })).toBeNull();
});
