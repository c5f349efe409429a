import type Dockerode from 'dockerode';
import { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { reasonOf, statusOf, unlessStatus, type Docker } from '../../../adapters/docker/connection.ts';
import type { Labels } from '../../../adapters/docker/labels.ts';
import { forgetContainer, recordContainer } from './record.ts';
import { createOptions, stopSeconds, type ContainerOrder } from './order.ts';
import { WayClosed } from '../ways.ts';

type Container = Dockerode.Container;

interface Output {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
}

const patienceMs = 20_000;
const pauseMs = 100;

/**
 * Runs a container to its end and removes it; `stop` ends it in order. One of the same name that a killed run left is ended
 * first. Returns the exit code. Throws what Docker says is wrong, and DockerUnreachable: then it may still run, and the next
 * run ends it.
 */
export async function runContainer(
  docker: Docker,
  order: ContainerOrder,
  output: Output,
  stop: AbortSignal,
): Promise<number> {
  recordContainer(order);
  const container = await create(docker, order);
  try {
    return await runToEnd(docker, container, output, stop);
  } catch (error) {
    throw docker.unreachable(error);
  } finally {
    // What cannot be removed now stays on record.
    await removeContainer(docker, order).then(
      () => forgetContainer(order),
      () => undefined,
    );
  }
}

/**
 * Runs a program of an image to its end. Returns the last line that it said, or throws it, with all that it said as `stderr`;
 * throws WayClosed where Docker does not run it.
 */
export async function runInContainer(docker: Docker, order: ContainerOrder, signal: AbortSignal): Promise<string> {
  const said: string[] = [];
  const hear = new Writable({
    write(chunk, _, done) {
      said.push(String(chunk));
      done();
    },
  });
  const code = await runContainer(docker, order, { stdout: hear, stderr: hear }, signal).catch((error: unknown) => {
    throw new WayClosed(`Docker does not run ${order.argv[0] ?? ''} of the image ${order.image}: ${reasonOf(error)}`);
  });
  signal.throwIfAborted();
  const stderr = said.join('');
  const last = stderr.trim().split('\n').at(-1) ?? '';
  if (code === 0) return last;
  throw Object.assign(new WayClosed(`${order.argv[0] ?? ''} of the image ${order.image} failed: ${last}`), { stderr });
}

async function create(docker: Docker, order: ContainerOrder): Promise<Container> {
  const { api, ask } = docker;
  const deadline = Date.now() + patienceMs;
  for (;;) {
    await removeContainer(docker, order);
    try {
      return await ask(() => api.createContainer(createOptions(order)));
    } catch (error) {
      // A request of a killed run may be carried out only now.
      if (statusOf(error) !== 409 || Date.now() > deadline) throw error;
      await sleep(pauseMs);
    }
  }
}

async function runToEnd(
  { api, ask }: Docker,
  container: Container,
  output: Output,
  stop: AbortSignal,
): Promise<number> {
  const log = await ask(() => container.attach({ stream: true, stdout: true, stderr: true }));
  api.modem.demuxStream(log, output.stdout, output.stderr);
  const logEnds = finished(log).catch(() => undefined);
  const isStopped = (): boolean => stop.aborted;
  if (isStopped()) return 0;
  await ask(() => container.start());
  const end = (): void => void container.stop({ t: stopSeconds }).catch(() => undefined);
  if (isStopped()) end();
  stop.addEventListener('abort', end, { once: true });
  // Not Docker's `wait`: when dockerd dies the client is not told how that ended, nor that it has.
  await logEnds;
  for (;;) {
    const { State } = await ask(() => container.inspect());
    if (!State.Running) return State.ExitCode;
    await sleep(pauseMs);
  }
}

/** In order, if it runs. Returns whether there was one. When this returns, it is not there any more. */
export async function removeContainer(
  { api, ask }: Docker,
  { name, labels }: { readonly name: string; readonly labels: Labels },
): Promise<boolean> {
  const deadline = Date.now() + patienceMs;
  for (let turn = 0; ; turn += 1) {
    const found = await unlessStatus(
      [404],
      null,
      ask(() => api.getContainer(name).inspect()),
    );
    if (found === null) return turn > 0;
    const isOurs = Object.entries(labels).every(([key, value]) => found.Config.Labels[key] === value);
    if (!isOurs) throw new Error(`The container ${name} was not made by this Holdfast: rename or remove it`);
    const container = api.getContainer(found.Id);
    if (found.State.Running)
      await unlessStatus(
        [304, 404, 409],
        null,
        ask(() => container.stop({ t: stopSeconds })),
      );
    const problem = await ask(() => container.remove({ force: true, v: true })).then(() => null, reasonOf);
    if (problem === null) continue;
    if (Date.now() > deadline) throw new Error(`The container ${name} cannot be removed: ${problem}`);
    await sleep(pauseMs);
  }
}
