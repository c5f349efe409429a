import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { bootId } from '../../../adapters/process/identity.ts';
import type { ContainerOrder } from './order.ts';

// Which containers may be there: run/container-<part>.json. A server in a container and one outside do not see each
// other's locks, so whichever comes next must know.

export interface ContainerRecord extends Pick<ContainerOrder, 'docker_host' | 'name' | 'labels'> {
  readonly boot_id: string;
}

/** Before the container is made: there is none that is not on record. It ends with the boot: no fsync. */
export function recordContainer({ docker_host, name, labels, record }: ContainerOrder): void {
  const partial = `${record}.partial`;
  const content: ContainerRecord = { docker_host, name, labels, boot_id: bootId() };
  writeFileSync(partial, JSON.stringify(content), { mode: 0o600 });
  renameSync(partial, record);
}

export function forgetContainer({ record }: Pick<ContainerOrder, 'record'>): void {
  rmSync(record, { force: true });
}

/** null: of a boot that is over, as is one that a power cut damaged. */
export function readContainerRecord(path: string): ContainerRecord | null {
  try {
    const record = JSON.parse(readFileSync(path, 'utf8')) as ContainerRecord;
    return record.boot_id === bootId() ? record : null;
  } catch {
    return null;
  }
}
