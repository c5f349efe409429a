import type Dockerode from 'dockerode';
import { createHash } from 'node:crypto';
import { label, type Labels } from '../../../adapters/docker/labels.ts';
import type { Home } from '../home.ts';

/** A server of the stack in a container. Travels as JSON to run-container.ts, in its argv: nothing secret is in it. */
export interface ContainerOrder {
  /** As in DOCKER_HOST. */
  readonly docker_host: string;
  /** There is one container of this name at most, so the data has one server at most. */
  readonly name: string;
  readonly labels: Labels;
  /** An image's id: its content, whatever its names mean by now. */
  readonly image: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Who owns the data. */
  readonly user: ContainerUser;
  readonly binds: readonly ContainerBind[];
  /** The same inside as on the loopback interface outside; null: the server is not asked over the network. */
  readonly port: number | null;
  readonly memory_bytes: number;
  readonly stop_signal: NodeJS.Signals;
  /** Where this container is on record while it may be there. */
  readonly record: string;
}

export interface ContainerUser {
  readonly uid: number;
  readonly gid: number;
}

/** Absolute paths. */
interface ContainerBind {
  readonly source: string;
  readonly target: string;
  readonly read_only: boolean;
}

/** Less than the supervisor gives to what it stops, before it kills it. */
export const stopSeconds = 10;
const mostThreads = 4096;
const sharedMemoryBytes = 256 * 1024 ** 2;

/** What says whose container it is: the stack's part of this data folder. */
export function identityFor(home: Pick<Home, 'root' | 'run'>, part: string) {
  const short = createHash('sha256').update(home.root).digest('hex').slice(0, 8);
  return {
    name: `holdfast-${part}-${short}`,
    labels: { [label.home]: home.root, 'holdfast.part': part },
    record: `${home.run}/container-${part}.json`,
  };
}

/** A folder has the same path inside, so that what a server is told of files means the same however it was started. */
export function sameFolder(path: string): ContainerBind {
  return { source: path, target: path, read_only: false };
}

/** It can write to its data and to memory, and do nothing that its user could not. */
export function createOptions(order: ContainerOrder): Dockerode.ContainerCreateOptions {
  const { name, image, argv, env, user, labels, stop_signal } = order;
  return {
    name,
    Image: image,
    Entrypoint: [...argv],
    Env: Object.entries(env).map(([key, value]) => `${key}=${value}`),
    User: `${user.uid}:${user.gid}`,
    Labels: { ...labels },
    Healthcheck: { Test: ['NONE'] },
    StopSignal: stop_signal,
    StopTimeout: stopSeconds,
    ...(order.port === null ? {} : { ExposedPorts: { [`${order.port}/tcp`]: {} } }),
    HostConfig: hostConfig(order),
  };
}

function hostConfig({ binds, port, memory_bytes }: ContainerOrder): Dockerode.HostConfig {
  const published = { HostIp: '127.0.0.1', HostPort: String(port) };
  return {
    // As mounts, not as `-v`: that would make a folder where the source is missing.
    Mounts: binds.map(({ source, target, read_only }) => ({
      ...{ Type: 'bind', Source: source, Target: target, ReadOnly: read_only },
    })),
    ...(port === null ? { NetworkMode: 'none' } : { PortBindings: { [`${port}/tcp`]: [published] } }),
    // The supervisor keeps the log, and starts it again.
    LogConfig: { Type: 'none', Config: {} },
    RestartPolicy: { Name: 'no' },
    // As much swap again would let it run on, slowly, where it should be ended.
    ...{ Memory: memory_bytes, MemorySwap: memory_bytes, ShmSize: sharedMemoryBytes, PidsLimit: mostThreads },
    ...{ ReadonlyRootfs: true, Tmpfs: { '/tmp': 'mode=1777' } },
    // SELinux would keep it from a folder that is labelled as its owner's.
    ...{ CapDrop: ['ALL'], SecurityOpt: ['no-new-privileges', 'label=disable'] },
    // Where Docker maps users, those of the files would be others.
    UsernsMode: 'host',
  };
}
