import { execFile, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { existsSync, openSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { chmod, mkdtemp } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import {
  findLabelled,
  findProcess,
  isAlive,
  listProcesses,
  nameOf,
  type ProcessIdentity,
} from '../../adapters/process/identity.ts';
import { demandPrograms, serverPath } from './installed-programs.ts';

const run = promisify(execFile);

/** A Docker of its own: nothing that it makes can meet another Docker of this machine, nor outlive `remove`. */
export interface DockerDaemon {
  readonly socketPath: string;
  /** SIGKILL to dockerd alone, as when it crashes; what it runs runs on. */
  kill(): Promise<void>;
  /** As `systemctl stop docker`. */
  stop(): Promise<void>;
  start(): Promise<void>;
  remove(): Promise<void>;
}

export interface DaemonOptions {
  /** Containers outlive the daemon. */
  readonly liveRestore?: boolean;
  readonly buildKit?: boolean;
}

interface Owned {
  readonly owner: ProcessIdentity;
  readonly bridge: string;
  /** What the addresses of its networks begin with. */
  readonly networks: string;
}

const prefix = 'holdfast-docker-';

/** Throws with what to do when this machine cannot have one. */
export async function startDockerDaemon(options: DaemonOptions = {}): Promise<DockerDaemon> {
  await demandDocker();
  const folder = await mkdtemp(join(tmpdir(), prefix));
  await chmod(folder, 0o711);
  const nth = randomInt(256);
  const bridge = `hfd${folder.slice(-6).toLowerCase()}`;
  const owner = findProcess(process.pid);
  if (owner === null) throw new Error('/proc does not show this process');
  writeFileSync(
    join(folder, 'owner.json'),
    JSON.stringify({ owner, bridge, networks: `10.214.${nth}.` } satisfies Owned),
  );
  await run('ip', ['link', 'add', bridge, 'type', 'bridge'], { env: { PATH: serverPath } });
  await run('ip', ['addr', 'add', `10.213.${nth}.1/24`, 'dev', bridge], { env: { PATH: serverPath } });
  await run('ip', ['link', 'set', bridge, 'up'], { env: { PATH: serverPath } });

  const daemon = daemonIn(folder, (storage) => [
    ...['--host', `unix://${join(folder, 'docker.sock')}`, '--pidfile', join(folder, 'docker.pid')],
    ...['--data-root', join(folder, 'data'), '--exec-root', join(folder, 'exec')],
    ...['--storage-driver', storage, '--config-file', configFile(folder, options)],
    // Its proxy serves ports on 127.0.0.1 without them; and rules of two daemons would undo each other.
    ...['--bridge', bridge, '--iptables=false', '--ip-masq=false', '--log-level', 'warn'],
    ...['--default-address-pool', `base=10.214.${nth}.0/24,size=28`],
  ]);
  try {
    await daemon.start();
  } catch (error) {
    await daemon.remove();
    throw error;
  }
  return daemon;
}

/** What test runs that were killed left. */
export async function removeAbandonedDaemons(): Promise<void> {
  for (const name of readdirSync(tmpdir()).filter((each) => each.startsWith(prefix))) {
    const folder = join(tmpdir(), name);
    if (!existsSync(join(folder, 'owner.json'))) continue;
    const { owner } = JSON.parse(readFileSync(join(folder, 'owner.json'), 'utf8')) as Owned;
    if (!isAlive(owner)) await daemonIn(folder, () => []).remove();
  }
}

function daemonIn(folder: string, argv: (storage: string) => string[]): DockerDaemon {
  const socketPath = join(folder, 'docker.sock');
  let storage: string | null = null;

  async function start(): Promise<void> {
    if (storage !== null) return startWith(storage);
    // Not every file system can be the lower side of an overlay.
    try {
      await startWith('overlay2');
      storage = 'overlay2';
    } catch {
      rmSync(join(folder, 'data'), { recursive: true, force: true });
      await startWith('vfs');
      storage = 'vfs';
    }
  }

  async function startWith(driver: string): Promise<void> {
    // A process that nobody has waited for yet would count as one that still runs, and be waited for in vain.
    for (const file of ['docker.pid', 'exec/containerd/containerd.pid']) rmSync(join(folder, file), { force: true });
    const log = openSync(join(folder, 'docker.log'), 'a');
    const env = { PATH: serverPath, HOME: folder, HOLDFAST_DOCKERD: folder };
    const child = spawn('dockerd', argv(driver), { detached: true, env, stdio: ['ignore', log, log] });
    child.unref();
    const deadline = Date.now() + 60_000;
    while (!(await answers(socketPath))) {
      if (child.exitCode === null && Date.now() < deadline) {
        await sleep(50);
        continue;
      }
      child.kill('SIGKILL');
      const said = readFileSync(join(folder, 'docker.log'), 'utf8').trim().split('\n').slice(-5).join('\n');
      throw new Error(`dockerd does not start here (${driver}):\n${said}`);
    }
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    const dockerd = daemonsOf(folder).find(({ pid }) => nameOf(pid) === 'dockerd');
    if (dockerd === undefined) return;
    process.kill(dockerd.pid, signal);
    const deadline = Date.now() + 30_000;
    // Its containerd ends with it.
    for (let left = [dockerd]; left.length > 0; left = daemonsOf(folder)) {
      if (Date.now() > deadline) killAll(left);
      await sleep(20);
    }
  }

  return {
    socketPath,
    start,
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
    async remove() {
      await end('SIGTERM');
      await endOrphans(folder);
      await unmountIn(folder);
      const { bridge, networks } = JSON.parse(readFileSync(join(folder, 'owner.json'), 'utf8')) as Owned;
      for (const link of [bridge, ...(await linksWith(networks))]) {
        await run('ip', ['link', 'delete', link], { env: { PATH: serverPath } }).catch(() => undefined);
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function configFile(folder: string, { liveRestore = false, buildKit = false }: DaemonOptions): string {
  const path = join(folder, 'daemon.json');
  writeFileSync(path, JSON.stringify({ 'live-restore': liveRestore, features: { buildkit: buildKit } }));
  return path;
}

async function demandDocker(): Promise<void> {
  const advice = 'or set HOLDFAST_TEST_DOCKER to the socket of a Docker, or test with --without docker';
  if (process.getuid?.() !== 0)
    throw new Error(`Only root can start a Docker for the tests: run them as root, ${advice}`);
  const packages = {
    dockerd: 'docker.io',
    iptables: 'iptables',
    ip: 'iproute2',
    busybox: 'busybox-static',
    tini: 'tini',
  };
  await demandPrograms(packages, `, ${advice}`);
}

function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request({ socketPath, path: '/_ping', timeout: 2_000 }, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    });
    asked.once('timeout', () => asked.destroy());
    asked.once('error', () => resolve(false));
    asked.end();
  });
}

/** dockerd, containerd, its shims and proxies: what is started hands its environment on, but for containers. */
function programsOf(folder: string): ProcessIdentity[] {
  return findLabelled({ HOLDFAST_DOCKERD: folder });
}

function daemonsOf(folder: string): ProcessIdentity[] {
  return programsOf(folder).filter(({ pid }) => ['dockerd', 'containerd'].includes(nameOf(pid) ?? ''));
}

/** What a dockerd that did not end by itself has left. */
async function endOrphans(folder: string): Promise<void> {
  killAll([...containersOf(folder), ...programsOf(folder)]);
  await sleep(100);
}

function killAll(programs: readonly ProcessIdentity[]): void {
  for (const { pid } of programs) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
  }
}

/** Processes whose root is a container's, which is kept below this folder. */
function containersOf(folder: string): ProcessIdentity[] {
  return listProcesses().filter(({ pid }) => {
    try {
      const mounts = readFileSync(`/proc/${pid}/mountinfo`, 'utf8').split('\n');
      return mounts.find((line) => line.split(' ')[4] === '/')?.includes(join(folder, 'data')) === true;
    } catch {
      return false;
    }
  });
}

/** dockerd leaves the bridges of its networks behind. */
async function linksWith(address: string): Promise<string[]> {
  const { stdout } = await run('ip', ['-oneline', '-4', 'addr', 'show'], { env: { PATH: serverPath } });
  const lines = stdout.split('\n').filter((line) => line.includes(` inet ${address}`));
  return lines.map((line) => line.split(/\s+/)[1] ?? '');
}

async function unmountIn(folder: string): Promise<void> {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((path) => path.startsWith(`${folder}/`));
  for (const path of mounts.reverse()) await run('umount', ['-l', path]).catch(() => undefined);
}
