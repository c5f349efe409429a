import { readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stopLeftovers } from '../../infra/stack/process-record.ts';
import { supervisorOf } from '../../infra/stack/supervisor-lock.ts';

/** What test runs that were killed left: their servers are stopped, their data folders removed. */
export async function removeAbandonedHomes(folder = tmpdir(), settledMs = 60_000): Promise<void> {
  const names = readdirSync(folder).filter((name) => /^holdfast-(test|stack|servers)-/.test(name));
  for (const path of names.map((name) => join(folder, name))) {
    const run = join(path, 'run');
    // Only what was a data folder of this user; and one that was made just now may be about to be claimed.
    const made = statSync(run, { throwIfNoEntry: false });
    if (made?.uid !== process.getuid?.() || Date.now() - (made?.ctimeMs ?? 0) < settledMs) continue;
    if ((await supervisorOf({ run })) !== null) continue;
    await stopLeftovers({ run });
    rmSync(path, { recursive: true, force: true });
  }
}
