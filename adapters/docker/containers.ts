import type Dockerode from 'dockerode';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Instance, InstanceState } from '../../domain/deploy/instance.ts';
import { PermanentFailure } from '../../domain/failures.ts';
import { DriverAbsent } from '../drivers/driver.ts';
import { reasonOf, statusOf, unlessStatus, DockerUnreachable, type Docker } from './connection.ts';
import { aliasesOf, containerOptions, knowsNames, type ContainerLogLimits } from './container-options.ts';
import { carrying, containerName, label } from './labels.ts';
import { missingNetworks, missingSources, publishersOf } from './obstacles.ts';
import { wasOutOfMemory } from './out-of-memory.ts';

export interface ContainersDeps {
  readonly docker: Docker;
  /** Of this Holdfast: what others started in the same Docker is not touched. */
  readonly home: string;
  readonly log: ContainerLogLimits;
}

export type Inspected = Dockerode.ContainerInspectInfo;
export interface InstanceName {
  readonly service: string;
  readonly instance: string;
}
export type Containers = ReturnType<typeof createContainers>;

/** Put behind the name of a container that was given up before it ran. */
const givenUp = '.given-up';
// How long another process may take to make the container whose name it has taken, or to let go of a port.
const patienceMs = 5_000;

const absent: InstanceState = {
  ...{ exists: false, running: false, pid: null, container_id: null, started_at: null, restart_count: 0 },
  ...{ exit_code: null, exit_signal: null, oom_killed: false },
};

/** The containers of instances: one each, found by name, never started a second time. */
export function createContainers({ docker, home, log }: ContainersDeps) {
  const { api, ask } = docker;

  async function find({ service, instance }: InstanceName): Promise<Inspected | null> {
    const name = containerName(service, instance);
    return (await named(name, instance)) ?? named(`${name}${givenUp}`, instance);
  }

  async function named(name: string, instance: string): Promise<Inspected | null> {
    const found = await unlessStatus(
      [404],
      null,
      ask(() => api.getContainer(name).inspect()),
    );
    if (found === null || isOurs(found.Config.Labels, instance)) return found;
    const advice = 'rename or remove it';
    throw new PermanentFailure('RunSpecInvalid', `The container ${name} was not made by this Holdfast: ${advice}`);
  }

  function isOurs(labels: Readonly<Record<string, string>>, instance: string): boolean {
    return labels[label.home] === home && labels[label.instance] === instance;
  }

  /** Looks first, and again after each step, for another attempt may be doing the same. */
  async function start(instance: Instance, signal: AbortSignal): Promise<InstanceState> {
    const deadline = Date.now() + patienceMs;
    for (let turn = 0; ; turn += 1) {
      signal.throwIfAborted();
      const found = await find(instance);
      const fresh = found?.State.Status === 'created' && !found.Name.endsWith(givenUp);
      if (found !== null && !fresh) return stateOf(found, await wasOutOfMemory(docker, found));
      const problem = found === null ? await create(instance) : await launch(found, instance);
      if (Date.now() > deadline) throw await refusal(instance, problem ?? `${instance.instance} does not start`);
      if (problem !== null || turn > 2) await sleep(100, undefined, { signal });
    }
  }

  /** A dockerd that was killed in the middle of a start may keep its port for nobody, until it is started once more. */
  async function refusal({ spec }: Instance, problem: string): Promise<Error> {
    const isLost =
      /port is already allocated/i.test(problem) && (await publishersOf(docker, spec.container)).length === 0;
    if (!isLost) return new PermanentFailure('RunSpecInvalid', problem);
    return new Error(`${problem}, but no container has it: restart Docker, which lost count; this goes on then`);
  }

  /** Returns what may pass by itself; null: look again. */
  async function create(instance: Instance): Promise<string | null> {
    const { container } = instance.spec;
    const obstacles = [...(await missingNetworks(docker, container)), ...(await missingSources(docker, container))];
    if (obstacles.length > 0) throw new PermanentFailure('RunSpecInvalid', obstacles.join('; '));
    const image = await imageOf(instance);
    const options = containerOptions({ home, instance, image: image.Id, imageConfig: image.Config, log });
    try {
      await ask(() => api.createContainer(options));
      return null;
    } catch (error) {
      if (statusOf(error) === 409) return `The name ${options.name ?? ''} is taken: ${reasonOf(error)}`;
      if (statusOf(error) === 400) throw cannotRun(instance, error);
      throw error;
    }
  }

  async function imageOf({ service, release_id, digest }: Instance): Promise<Dockerode.ImageInspectInfo> {
    const found =
      digest === ''
        ? null
        : await unlessStatus(
            [404],
            null,
            ask(() => api.getImage(digest).inspect()),
          );
    if (found !== null) return found;
    throw new PermanentFailure(
      'ReleaseMissing',
      `The image of release ${release_id} of ${service} is gone: build it again`,
    );
  }

  /** By name: one that was given up meanwhile has another. */
  async function launch({ Id }: Inspected, instance: Instance): Promise<string | null> {
    const name = containerName(instance.service, instance.instance);
    try {
      await joinNetworks(Id, instance);
      await unlessStatus(
        [304, 404, 409],
        null,
        ask(() => api.getContainer(name).start()),
      );
      return null;
    } catch (error) {
      const reason = reasonOf(error);
      // A dockerd that died in the middle of a start has left its half of it behind, and trips over it now.
      if (/id already in use|task [0-9a-f]+: already exists/i.test(reason)) await removeUnstarted(name);
      if (/already in use|already exists|port is already allocated/i.test(reason))
        return `${instance.service}: ${reason}`;
      const cannot = /OCI runtime|executable file not found|no such file or directory|permission denied|invalid/i;
      if (statusOf(error) === 400 || (cannot.test(reason) && !isDockers(reason))) throw cannotRun(instance, error);
      throw error;
    }
  }

  /** For Docker it never ran. One that another attempt has started meanwhile stays, and one that was given up. */
  async function removeUnstarted(name: string): Promise<void> {
    await unlessStatus(
      [404, 409],
      null,
      ask(() => api.getContainer(name).remove({ v: true })),
    );
  }

  /** Docker takes one network at creation. Joining a second time is refused, and no harm. */
  async function joinNetworks(id: string, instance: Instance): Promise<void> {
    for (const network of instance.spec.container?.networks.slice(1) ?? []) {
      const EndpointConfig = knowsNames(network) ? { Aliases: aliasesOf(instance) } : {};
      try {
        await ask(() => api.getNetwork(network).connect({ Container: id, EndpointConfig }));
      } catch (error) {
        if (!/already exists in network|already attached/i.test(reasonOf(error))) throw error;
      }
    }
  }

  /** One that never ran gets another name, under which no start finds it. */
  async function stop(instance: InstanceName, timeout_ms: number, signal: AbortSignal): Promise<InstanceState> {
    const found = await find(instance);
    if (found === null) return absent;
    const container = api.getContainer(found.Id);
    if (found.State.Status === 'created' && !found.Name.endsWith(givenUp)) {
      const name = `${containerName(instance.service, instance.instance)}${givenUp}`;
      await ask(() => container.rename({ name }));
    }
    const t = Math.ceil(timeout_ms / 1_000);
    const limit = timeout_ms + 60_000;
    await unlessStatus(
      [304, 404],
      null,
      ask(() => container.stop({ t, abortSignal: signal }), limit),
    );
    const stopped = await find(instance);
    const state = stopped === null ? absent : stateOf(stopped);
    if (state.running) throw new Error(`The container ${found.Id.slice(0, 12)} runs on after SIGKILL`);
    return state;
  }

  async function inspect(instance: InstanceName): Promise<InstanceState> {
    const found = await find(instance);
    return found === null ? absent : stateOf(found, await wasOutOfMemory(docker, found));
  }

  async function alive(service: string): Promise<readonly string[]> {
    try {
      return (await list(service, false)).map(({ Labels }) => Labels[label.instance] ?? '');
    } catch (error) {
      // There may never have been a Docker here: the caller knows whether this service needs one.
      const unseen = error instanceof DockerUnreachable && error.code === 'ENOENT' && !error.everAnswered;
      throw unseen ? new DriverAbsent(error.message) : error;
    }
  }

  /** Volumes without a name go with their container; nobody could find them again. */
  async function prune(service: string, keep: readonly string[]): Promise<void> {
    for (const { Id, Labels, State } of await list(service, true)) {
      if (!['created', 'exited', 'dead'].includes(State) || keep.includes(Labels[label.instance] ?? '')) continue;
      await unlessStatus(
        [404, 409],
        null,
        ask(() => api.getContainer(Id).remove({ v: true })),
      );
    }
  }

  function list(service: string, all: boolean): Promise<Dockerode.ContainerInfo[]> {
    const filters = carrying({ [label.home]: home, [label.service]: service });
    return ask(() => api.listContainers({ all, filters }));
  }

  return { find, start, stop, inspect, alive, prune };
}

function stateOf({ Id, State, RestartCount }: Inspected, outOfMemory = State.OOMKilled): InstanceState {
  const { Running, Pid, StartedAt, ExitCode } = State;
  // A program that could not be executed has an exit code, and never ran.
  const ended = !Running && (State.Status !== 'created' || ExitCode !== 0);
  return {
    ...{ exists: true, running: Running, pid: Running && Pid > 0 ? Pid : null, container_id: Id },
    started_at: StartedAt.startsWith('0001-') ? null : new Date(StartedAt).toISOString(),
    restart_count: RestartCount,
    exit_code: ended ? ExitCode : null,
    // Docker does not tell a signal from an exit code of 128 and more.
    exit_signal: null,
    oom_killed: outOfMemory,
  };
}

/** Docker without its containerd, or going down: no fault of what was to be started. */
function isDockers(reason: string): boolean {
  return /containerd\.sock|transport is closing|error while dialing|unavailable|context canceled/i.test(reason);
}

function cannotRun({ service }: Instance, error: unknown): PermanentFailure {
  return new PermanentFailure('RunSpecInvalid', `The container of ${service} cannot be run: ${reasonOf(error)}`);
}
