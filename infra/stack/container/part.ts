import { join } from 'node:path';
import { createDocker, DockerUnreachable, type Docker } from '../../../adapters/docker/connection.ts';
import { sharesFiles } from '../../../adapters/docker/obstacles.ts';
import { packageRoot } from '../../package-root.ts';
import type { ContainerOrder } from './order.ts';
import type { Part } from '../supervised.ts';
import { WayClosed } from '../ways.ts';

const patienceMs = 2_000;

/** A part of the stack that runs in a container: what the supervisor keeps is the process that stands for it. */
export function containerPart(name: string, order: ContainerOrder): Part {
  return {
    name,
    argv: [process.execPath, join(packageRoot, 'dist/infra/stack/container/run-container.js'), JSON.stringify(order)],
    env: {},
    stopSignal: 'SIGTERM',
  };
}

/** A Docker that servers of this stack can run in, asked in at most 2 s. Throws WayClosed when there is none. */
export async function usableDocker(host: string): Promise<Docker> {
  const docker = createDocker({ host });
  try {
    await docker.ask(() => docker.api.ping(), patienceMs);
    const { SecurityOptions } = (await docker.ask(() => docker.api.info())) as { SecurityOptions?: string[] | null };
    if (SecurityOptions?.some((option) => option.startsWith('name=rootless')) === true)
      throw new WayClosed(`Docker at ${host} is rootless: the files of its containers would not be ours`);
    if (!(await sharesFiles(docker))) throw new WayClosed(`Docker at ${host} does not see the files of this machine`);
    return docker;
  } catch (error) {
    if (error instanceof DockerUnreachable) throw new WayClosed(error.message);
    throw error;
  }
}
