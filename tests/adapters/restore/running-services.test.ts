import { spawn, type ChildProcess } from 'node:child_process';
import { openSync, closeSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Box } from '../../../adapters/box.ts';
import type { StoredService } from '../../../adapters/postgres/services.ts';
import { usersOf, type FolderUser } from '../../../adapters/restore/folder-users.ts';
import type { OpenPoint } from '../../../adapters/restore/point.ts';
import { createRunningServices } from '../../../adapters/restore/running-services.ts';
import { bindMounted, type BindMounted } from './bind-mounted.ts';

let bound: BindMounted;
const children: { readonly child: ChildProcess; readonly ended: Promise<unknown> }[] = [];
beforeEach(() => {
  bound = bindMounted();
  writeFileSync(join(bound.root, 'data'), 'x');
});
afterEach(async () => {
  for (const { child, ended } of children.splice(0)) {
    child.kill('SIGKILL');
    await ended;
  }
  bound.close();
});

async function seen(how: FolderUser['how']): Promise<FolderUser | undefined> {
  for (const end = Date.now() + 20_000; Date.now() < end;) {
    const found = (await usersOf(bound.root)).users.find((user) => user.how === how);
    if (found !== undefined) return found;
    await sleep(50);
  }
  return undefined;
}

function start(argv: readonly [string, ...string[]], options: object): ChildProcess {
  const child = spawn(argv[0], argv.slice(1), { stdio: 'ignore', ...options });
  children.push({ child, ended: new Promise((resolve) => child.once('close', resolve)) });
  return child;
}

test('B6 nobody uses a folder that nobody uses', async () => {
  expect((await usersOf(bound.root)).users).toEqual([]);
});

test('B6 a process that works in the folder is seen, and one that has a file of it open', async () => {
  const works = start(['sleep', '60'], { cwd: bound.root });
  expect(await seen('works in it')).toMatchObject({ pid: works.pid, name: 'sleep' });
  works.kill('SIGKILL');
  const fd = openSync(join(bound.root, 'data'), 'r+');
  const holds = start(['sleep', '60'], { stdio: [fd, 'ignore', 'ignore'] });
  closeSync(fd);
  expect(await seen('file open')).toMatchObject({ pid: holds.pid });
});

test('B6 B7 a container that has the folder mounted elsewhere is seen, though it has nothing open', async () => {
  // What a container is to the kernel: its own mounts, and a root folder of its own.
  const script =
    'mkdir -p "$1/c/data" && mount -t tmpfs none "$1/c" && mkdir "$1/c/data" "$1/c/bin" && mount --bind "$0" "$1/c/data" && mount --bind /bin "$1/c/bin" && mkdir "$1/c/lib" "$1/c/lib64" "$1/c/usr" && mount --bind /lib "$1/c/lib" && mount --bind /lib64 "$1/c/lib64" && mount --bind /usr "$1/c/usr" && exec chroot "$1/c" /bin/sleep 60';
  start(['unshare', '-m', 'sh', '-c', script, bound.source, join(bound.root, '..')], {});
  expect(await seen('container has it mounted')).toMatchObject({ name: 'sleep' });
});

test('B6 what is said to be stopped is looked at: desired state, driver, and its files', async () => {
  const never = new AbortController().signal;
  const openPoint = (async () => ({
    manifest: { file_sets: [{ name: 'web-data', service: 'web', root: bound.root }] },
  })) as unknown as OpenPoint;
  let running = true;
  const service = (): StoredService =>
    ({
      name: 'web',
      spec: { driver: 'process' },
      desired: { state: running ? 'running' : 'stopped', instance: null },
    }) as unknown as StoredService;
  const drivers = { process: { alive: async () => (running ? ['web.1'] : []) } } as unknown as Box['drivers'];
  const running_services = createRunningServices({
    ...{ openPoint, drivers, services: { find: async () => service() }, instances: { find: async () => null } },
  });
  const sets = [{ name: 'web-data', service: 'web' }];
  const found = await running_services.whoUses('s', sets, never);
  expect(found).toMatchObject({ ok: false });
  expect(found.reason).toBe('web is to run, so its watch would start it; web runs: web.1');
  running = false;
  const stranger = start(['sleep', '60'], { cwd: bound.root });
  expect(await seen('works in it')).toBeDefined();
  expect((await running_services.whoUses('s', sets, never)).reason).toBe(
    `${bound.root} is used by pid ${stranger.pid ?? 0} (sleep): works in it`,
  );
  stranger.kill('SIGKILL');
  await new Promise((resolve) => stranger.once('close', resolve));
  expect(await running_services.whoUses('s', sets, never)).toMatchObject({ ok: true, reason: 'none runs' });
  // Holdfast's own folders are written under the lock that a restore holds.
  expect(await running_services.whoUses('s', [{ name: 'web-data', service: null }], never)).toMatchObject({ ok: true });
});
