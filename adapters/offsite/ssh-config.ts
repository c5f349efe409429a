import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SshSpec } from '../../domain/offsite/spec.ts';
import { aliveMs, connectMs, hostKeyAlgorithms, readIdentity } from './ssh.ts';

/** The host's keys are looked up under this name, whatever its address and port. */
const alias = 'holdfast-target';

/** What a socket's path may have (108, its end included), less the ending that ssh puts behind it while it makes one. */
const mostPathBytes = 90;
/** How long one connection waits for the next use of it; a worker that was killed leaves no more than that. */
const idleSeconds = 30;

/**
 * The whole configuration of one ssh, in a file in `folder`: nothing of the user's counts, no agent, nothing is asked, and only
 * the pinned host is spoken to, over one connection for all uses of this configuration. Gives its path. Throws OffsiteTrouble (refused).
 */
export async function writeSshConfig(spec: SshSpec, folder: string): Promise<string> {
  await readIdentity(spec);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const knownHosts = join(folder, 'known_hosts');
  const config = join(folder, 'ssh_config');
  const socket = join(folder, 'ssh');
  const lines = {
    ...{ User: spec.user, Port: spec.port, IdentityFile: `"${spec.identity_file}"`, IdentitiesOnly: 'yes' },
    ...{ IdentityAgent: 'none', BatchMode: 'yes', PreferredAuthentications: 'publickey' },
    ...{ StrictHostKeyChecking: 'yes', HostKeyAlias: alias, HostKeyAlgorithms: hostKeyAlgorithms(spec).join(',') },
    ...{ UserKnownHostsFile: `"${knownHosts}"`, GlobalKnownHostsFile: '/dev/null', UpdateHostKeys: 'no' },
    ...{ ConnectTimeout: connectMs / 1_000, ServerAliveInterval: aliveMs / 1_000, ServerAliveCountMax: 3 },
    ...{ ForwardAgent: 'no', ClearAllForwardings: 'yes', LogLevel: 'ERROR' },
    ...(Buffer.byteLength(socket) > mostPathBytes
      ? { ControlMaster: 'no', ControlPath: 'none' }
      : { ControlMaster: 'auto', ControlPath: `"${socket}"`, ControlPersist: idleSeconds }),
  };
  const text = Object.entries(lines).map(([name, value]) => `  ${name} ${value}\n`);
  await writeFile(knownHosts, spec.host_keys.map((key) => `${alias} ${key}\n`).join(''), { mode: 0o600 });
  await writeFile(config, `Host *\n${text.join('')}`, { mode: 0o600 });
  return config;
}
