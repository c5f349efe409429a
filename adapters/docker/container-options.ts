import type Dockerode from 'dockerode';
import type { Instance, Provenance } from '../../domain/deploy/instance.ts';
import type { ServiceSpec } from '../../domain/service.ts';
import { containerName, labelsOf } from './labels.ts';

type Container = NonNullable<ServiceSpec['container']>;

export interface ContainerLogLimits {
  /** As Docker writes sizes, such as `10m`. */
  readonly max_size: string;
  readonly max_file: number;
}

export interface ContainerOrder {
  readonly home: string;
  readonly instance: Instance;
  /** Of the image: its id, never a name that could move. */
  readonly image: string;
  readonly imageConfig: { readonly Entrypoint?: unknown; readonly Cmd?: unknown };
  readonly log: ContainerLogLimits;
}

const nanosecondsPerMs = 1_000_000;

/** What Docker is asked for. Docker restarts nothing: the watch decides. */
export function containerOptions(order: ContainerOrder): Dockerode.ContainerCreateOptions {
  const { home, instance, image, imageConfig, log } = order;
  const { service, spec } = instance;
  const { container } = spec;
  const { argv } = spec.run;
  return {
    name: containerName(service, instance.instance),
    Image: image,
    Env: Object.entries(wantedEnv(instance)).map(([name, value]) => `${name}=${value}`),
    Labels: { ...container?.labels, ...labelsOf(home, instance) },
    Tty: false,
    ...(argv === undefined ? {} : { Cmd: [...argv] }),
    ...(container?.user === undefined ? {} : { User: container.user }),
    ...(container?.healthcheck === undefined ? {} : { Healthcheck: healthcheck(container.healthcheck) }),
    ExposedPorts: Object.fromEntries((container?.ports ?? []).map((port) => [portName(port), {}])),
    HostConfig: {
      ...hostConfig(service, home, container),
      ...(container?.networks[0] === undefined ? {} : { NetworkMode: container.networks[0] }),
      Init: !bringsItsOwnInit(imageConfig, argv),
      RestartPolicy: { Name: 'no' },
      LogConfig: { Type: 'json-file', Config: { 'max-size': log.max_size, 'max-file': String(log.max_file) } },
    },
    ...endpoint(instance, container?.networks[0]),
  };
}

/** What the container is to find in its environment, but for what its image says. */
export function wantedEnv({ provenance, spec }: Instance): Record<string, string> {
  return { ...provenanceEnv(provenance), ...spec.run.env };
}

/** Row D15: what a service needs to say of itself which build it is. */
export function provenanceEnv({ build_sha, build_time, build_branch }: Provenance): Record<string, string> {
  return {
    BUILD_SHA: build_sha,
    ...(build_time === null ? {} : { BUILD_TIME: build_time }),
    ...(build_branch === null ? {} : { BUILD_BRANCH: build_branch }),
  };
}

/**
 * In a network of the operator's, others find the service by its name; not while two of it may run, since half of them
 * would then find one that is not proved yet.
 */
export function aliasesOf({ service, port }: Instance): string[] {
  return port === null ? [service] : [];
}

/** Docker's own networks have no names in them. */
export function knowsNames(network: string): boolean {
  return !['bridge', 'host', 'none'].includes(network);
}

function portName({ container, protocol }: Pick<Container['ports'][number], 'container' | 'protocol'>): string {
  return `${container}/${protocol}`;
}

function hostConfig(service: string, home: string, container: Container | undefined): Dockerode.HostConfig {
  if (container === undefined) return {};
  const { memory_bytes } = container;
  return {
    PortBindings: portBindings(container.ports),
    Mounts: [...volumes(service, home, container.volumes), ...binds(container.binds)],
    // As much swap again would let it run on, slowly, where it should be ended.
    ...(memory_bytes === undefined ? {} : { Memory: memory_bytes, MemorySwap: memory_bytes }),
  };
}

function portBindings(ports: Container['ports']): Dockerode.PortMap {
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const port of ports) {
    const published = { HostIp: port.address, HostPort: String(port.host) };
    bindings[portName(port)] = [...(bindings[portName(port)] ?? []), published];
  }
  return bindings;
}

function volumes(service: string, home: string, asked: Container['volumes']): Dockerode.MountSettings[] {
  return asked.map(({ name, target, read_only }) => ({
    ...{ Type: 'volume', Source: name, Target: target, ReadOnly: read_only },
    // Only a volume that Docker makes now gets them.
    VolumeOptions: {
      NoCopy: false,
      Labels: { 'holdfast.home': home, 'holdfast.service': service },
      DriverConfig: { Name: '', Options: {} },
    },
  }));
}

/** As mounts, not as `-v`: that would make a folder where the source is missing. */
function binds(asked: Container['binds']): Dockerode.MountSettings[] {
  return asked.map(({ source, target, read_only }) => ({
    ...{ Type: 'bind', Source: source, Target: target, ReadOnly: read_only },
  }));
}

function healthcheck(asked: NonNullable<Container['healthcheck']>): Dockerode.HealthConfig {
  return {
    Test: ['CMD', ...asked.argv],
    Interval: asked.interval_ms * nanosecondsPerMs,
    Timeout: asked.timeout_ms * nanosecondsPerMs,
    Retries: asked.retries,
    StartPeriod: asked.start_period_ms * nanosecondsPerMs,
  };
}

function endpoint(instance: Instance, network: string | undefined): Partial<Dockerode.ContainerCreateOptions> {
  if (network === undefined || !knowsNames(network)) return {};
  return { NetworkingConfig: { EndpointsConfig: { [network]: { Aliases: aliasesOf(instance) } } } };
}

const inits = new Set(['init', 'systemd', 'tini', 'tini-static', 'dumb-init', 'docker-init', 'catatonit', 's6-svscan']);

/** One that wants to be process 1 itself would not start under Docker's. */
function bringsItsOwnInit({ Entrypoint, Cmd }: ContainerOrder['imageConfig'], argv: readonly string[] | undefined) {
  const [first] = [...words(Entrypoint), ...(argv ?? words(Cmd))];
  return inits.has(first?.split('/').at(-1) ?? '');
}

function words(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return Array.isArray(value) ? value.map(String) : [];
}
