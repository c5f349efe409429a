import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createDocker } from '../../../adapters/docker/connection.ts';
import { readContainerRecord, type ContainerRecord } from './record.ts';
import { removeContainer } from './run.ts';
import type { Home } from '../home.ts';
import { StackError } from '../stack-error.ts';

/** Ends, in order, the containers whose runners were killed. Returns their parts. Throws StackError where Docker cannot say. */
export async function endLeftoverContainers({ run }: Pick<Home, 'run'>): Promise<string[]> {
  const ended: string[] = [];
  for (const file of readdirSync(run)) {
    const part = /^container-(.+)\.json$/.exec(file)?.[1];
    if (part === undefined) continue;
    const path = join(run, file);
    const left = readContainerRecord(path);
    if (left !== null && (await end(left, path))) ended.push(part);
    rmSync(path, { force: true });
  }
  return ended;
}

async function end(left: ContainerRecord, path: string): Promise<boolean> {
  try {
    return await removeContainer(createDocker({ host: left.docker_host }), left);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new StackError(
      `The container ${left.name} may still use the data of this folder: ${why}`,
      `Start Docker, so that it can be ended; if it is surely gone, remove ${path}`,
    );
  }
}
