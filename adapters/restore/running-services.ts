import type { WantedSet } from '../../domain/restore/run.ts';
import type { Box } from '../box.ts';
import { DriverAbsent } from '../drivers/driver.ts';
import type { InstanceStore } from '../postgres/instances.ts';
import type { ServiceStore, StoredService } from '../postgres/services.ts';
import { usersOf } from './folder-users.ts';
import type { OpenPoint } from './point.ts';

export interface RunningServicesDeps {
  readonly openPoint: OpenPoint;
  readonly services: Pick<ServiceStore, 'find'>;
  readonly instances: Pick<InstanceStore, 'find'>;
  readonly drivers: Box['drivers'];
}

export type RunningServices = ReturnType<typeof createRunningServices>;

/** Row B6: what an operator says is stopped is looked at: its desired state, its driver, and whoever has its files open. */
export function createRunningServices({ openPoint, services, instances, drivers }: RunningServicesDeps) {
  async function runs(name: string): Promise<string[]> {
    const service = await services.find(name);
    // Of a service that is not registered here only its files are known.
    if (service === null) return [];
    const wanted = service.desired.state === 'running' ? [`${name} is to run, so its watch would start it`] : [];
    return [...wanted, ...(await alive(service)).map((instance) => `${name} runs: ${instance}`)];
  }

  async function alive({ name, spec, desired }: StoredService): Promise<readonly string[]> {
    const driver = drivers[spec.driver];
    const instance = desired.instance === null ? null : await instances.find(desired.instance);
    const known = instance !== null && (await driver.inspect(instance)).running ? [instance.instance] : [];
    const found = await driver.alive(name).catch((error: unknown) => {
      if (error instanceof DriverAbsent) return [];
      throw error;
    });
    return [...new Set([...known, ...found])];
  }

  return {
    /** Of the services whose files these sets are. Holdfast's own folders are written under the lock that a restore holds. */
    async whoUses(
      stamp: string,
      sets: readonly WantedSet[],
      signal: AbortSignal,
    ): Promise<{ readonly ok: boolean; readonly reason: string; readonly detail: object }> {
      const { manifest } = await openPoint(stamp);
      const found: string[] = [];
      let unseen = 0;
      for (const { name, service } of sets) {
        signal.throwIfAborted();
        if (service === null) continue;
        found.push(...(await runs(service)));
        const root = manifest.file_sets.find((set) => set.name === name)?.root;
        const folder = root === undefined ? { users: [], unseen: 0 } : await usersOf(root).catch(nobodyThere);
        unseen = Math.max(unseen, folder.unseen);
        for (const { pid, name: program, how } of folder.users)
          found.push(`${root ?? ''} is used by pid ${pid} (${program}): ${how}`);
      }
      const reasons = [...new Set(found)];
      const services = sets.filter(({ service }) => service !== null).length;
      const ok = reasons.length === 0;
      const reason = ok ? (services === 0 ? 'no files of services' : 'none runs') : reasons.slice(0, 5).join('; ');
      return { ok, reason, detail: { found: reasons.slice(0, 50), processes_not_seen: unseen } };
    },
  };
}

/** A folder that is not there is used by nobody. */
function nobodyThere(error: unknown): { users: []; unseen: number } {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { users: [], unseen: 0 };
  throw error;
}
