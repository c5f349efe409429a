import { setTimeout as sleep } from 'node:timers/promises';
import type { ProjectStore } from '../adapters/postgres/projects.ts';
import type { Refreshed, RefreshSchedules } from '../adapters/temporal/refresh-schedules.ts';

const everyMs = 30_000;

/** What is approved is in force within half a minute, whoever approved it, and wherever. Ends with the signal. */
export async function keepSchedules(
  schedules: RefreshSchedules,
  projects: ProjectStore,
  reconcileOthers: () => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await schedules.reconcile(await refreshedProjects(projects));
      await reconcileOthers();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      process.stderr.write(`The schedules are looked at again soon: ${reason}\n`);
    }
    await sleep(everyMs, undefined, { signal }).catch(() => undefined);
  }
}

/** Every project with its schedule. */
async function refreshedProjects(projects: ProjectStore): Promise<Refreshed[]> {
  const all: Refreshed[] = [];
  for (let after = ''; ;) {
    const page = await projects.list({ after, limit: 200 });
    all.push(...page.map(({ project, spec }) => ({ project, schedule: spec.policy.refresh.schedule })));
    const last = page.at(-1);
    if (last === undefined) return all;
    after = last.project;
  }
}
