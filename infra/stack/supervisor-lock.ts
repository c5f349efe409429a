import { existsSync } from 'node:fs';
import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { identityOf, isAlive, type ProcessIdentity } from '../../adapters/process/identity.ts';
import type { Home } from './home.ts';

/** Another process keeps this data folder's stack. */
export class AlreadyRunning extends Error {
  override readonly name = 'AlreadyRunning';
  constructor(readonly supervisor: ProcessIdentity) {
    super(`Holdfast is already running (process ${supervisor.pid})`);
  }
}

/** One supervisor a data folder. What a killed one left is taken over. Returns what gives it back. */
export async function claimSupervision(home: Home): Promise<() => Promise<void>> {
  const path = lockPath(home);
  const mine = join(home.run, `.supervisor-${process.pid}`);
  await writeFile(mine, JSON.stringify(identityOf(process.pid)));
  try {
    for (;;) {
      const holder = await supervisorOf(home);
      if (holder !== null) throw new AlreadyRunning(holder);
      await rm(path, { force: true });
      // A link is made whole or not at all, and only by one of two that try at once.
      const linked = await link(mine, path).then(
        () => true,
        (error: unknown) => {
          if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
          throw error;
        },
      );
      if (linked) return () => rm(path, { force: true });
    }
  } finally {
    await rm(mine, { force: true });
  }
}

/** The living supervisor of this data folder; null when there is none. */
export async function supervisorOf(home: Pick<Home, 'run'>): Promise<ProcessIdentity | null> {
  const path = lockPath(home);
  if (!existsSync(path)) return null;
  const holder = JSON.parse(await readFile(path, 'utf8')) as ProcessIdentity;
  return isAlive(holder) ? holder : null;
}

function lockPath(home: Pick<Home, 'run'>): string {
  return join(home.run, 'supervisor.json');
}
