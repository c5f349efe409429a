import getPort from 'get-port';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { onPath } from '../../infra/stack/prerequisites.js';
import { serverPath } from './installed-programs.ts';

/** What the tests' sshd and rsync are called, and the packages that they come from. */
export const sshPackages = { sshd: 'openssh-server', ssh: 'openssh-client', rsync: 'rsync' };

export interface SshServer {
  readonly port: number;
  readonly user: string;
  /** As a target's host_keys. */
  readonly hostKeys: readonly string[];
  readonly identityFile: string;
  /** What may log in with it: no command, or the only one that is run. */
  allow(command: string | null): void;
  stop(): Promise<void>;
}

/** OpenSSH's own server on a port of its own, with keys of its own in `folder`, for the user that runs this. */
export async function startSshServer(folder: string): Promise<SshServer> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const [host, identity] = [join(folder, 'host_key'), join(folder, 'identity')];
  for (const key of [host, identity])
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', key]);
  const publicKey = (key: string): string => readFileSync(`${key}.pub`, 'utf8').trim().split(' ').slice(0, 2).join(' ');
  const authorized = join(folder, 'authorized_keys');
  const allow = (command: string | null): void => {
    const only = command === null ? '' : `command="${command}",restrict `;
    writeFileSync(authorized, `${only}${publicKey(identity)}\n`, { mode: 0o600 });
  };
  allow(null);
  const port = await getPort({ host: '127.0.0.1' });
  const child = await start(folder, port, [
    ...[`HostKey ${host}`, `AuthorizedKeysFile ${authorized}`, `PidFile ${join(folder, 'sshd.pid')}`],
    ...['StrictModes no', 'UsePAM no', 'PermitRootLogin prohibit-password', 'PasswordAuthentication no'],
    // Whatever the user's own shell does when it starts is done before each command: here it costs seconds, and is no part of a test.
    `SetEnv HOME=${folder}`,
    ...['KbdInteractiveAuthentication no', 'Subsystem sftp internal-sftp', 'PrintMotd no', 'MaxStartups 100'],
  ]);
  return {
    ...{ port, user: userInfo().username, hostKeys: [publicKey(host)], identityFile: identity, allow },
    async stop() {
      if (child.exitCode !== null) return;
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

async function start(folder: string, port: number, settings: readonly string[]): Promise<ChildProcess> {
  // Where root's sshd keeps the part of itself that speaks to strangers; distributions make it when they start theirs.
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const config = join(folder, 'sshd_config');
  writeFileSync(config, [`Port ${port}`, 'ListenAddress 127.0.0.1', ...settings, ''].join('\n'));
  const sshd = await onPath('sshd', serverPath);
  if (sshd === null) throw new Error('There is no sshd: run tests through `npm test`, which installs it');
  const log = join(folder, 'sshd.log');
  const child = spawn(sshd, ['-D', '-e', '-f', config], { stdio: ['ignore', 'ignore', openSync(log, 'a')] });
  const deadline = Date.now() + 20_000;
  while (!(await answers(port))) {
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`sshd: ${readFileSync(log, 'utf8')}`);
    await sleep(50);
  }
  return child;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('data', () => {
      resolve(true);
      socket.destroy();
    });
    socket.once('error', () => resolve(false));
  });
}
