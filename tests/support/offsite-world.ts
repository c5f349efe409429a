import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createBackupRowActivities } from '../../activities/backup-rows.ts';
import { createLetGoActivities, type LetGoActivities } from '../../activities/let-go.ts';
import { createPullActivities } from '../../activities/pull.ts';
import { createPushActivities, createPushRowActivities, type PushActivities } from '../../activities/push.ts';
import { createTargetPlanner } from '../../activities/retention.ts';
import { writeManifest } from '../../adapters/backup/manifest-file.ts';
import { createPoints } from '../../adapters/backup/points.ts';
import { openSigningKey, readTrustedKeys } from '../../adapters/backup/signing-key.ts';
import { openTarget } from '../../adapters/offsite/open-target.ts';
import { createBackupRunStore } from '../../adapters/postgres/backup-runs.ts';
import { createEventStore } from '../../adapters/postgres/events.ts';
import { createLockStore, type LockWish } from '../../adapters/postgres/locks.ts';
import { createOffsiteRetentionStore } from '../../adapters/postgres/offsite-retention.ts';
import { createOffsiteStore, type StoredTarget } from '../../adapters/postgres/offsite.ts';
import { createPinStore } from '../../adapters/postgres/pins.ts';
import { createRecoveryPointStore } from '../../adapters/postgres/recovery-points.ts';
import { createScheduleStore } from '../../adapters/postgres/schedules.ts';
import { signedManifestSchema } from '../../domain/backup/manifest.ts';
import type { BackupResult } from '../../domain/backup/schemas.ts';
import type { RunOfLock } from '../../domain/lock.ts';
import { writePoint } from './offsite-point.ts';
import { ownBox, runOnTemporal } from './on-temporal.ts';
import { createFolder } from './own-home.ts';
import type { TestDatabases } from './servers.ts';

/** A box with signed points, another one with nothing, and a folder that both can reach. */
export async function offsiteWorld(databases: TestDatabases) {
  const folder = createFolder();
  const disk = join(folder.path, 'disk');
  mkdirSync(disk);
  const offsite = createOffsiteStore(databases.ops);
  const recoveryPoints = createRecoveryPointStore(databases.ops);
  const retention = createOffsiteRetentionStore(databases.ops);
  const name = `disk-${randomUUID().slice(0, 8)}`;
  // A box of its own, so that the points of another test are not this one's.
  const box = `box-${name}`;
  const target: StoredTarget = {
    ...{ name, id: randomUUID(), box, spec: { kind: 'directory', path: disk }, enabled: true },
    ...{ retention: 'same', retention_reason: null, actor: 'tester' },
    ...{ state: 'unknown', reason: null, since: new Date(), looked_at: null },
  };
  const open = (place: StoredTarget, signal: AbortSignal) =>
    openTarget(place, { env: process.env, scratch: join(folder.path, 'scratch'), signal });
  const first = await open(target, new AbortController().signal);
  await first.prepare();
  await first.close();
  await offsite.put(target);
  const points = createPoints(join(folder.path, 'home/backups'));
  const keys = join(folder.path, 'home/secrets');
  return {
    ...{ ...folder, disk, offsite, retention, recoveryPoints, target, box, open, points, keys },
    locks: createLockStore(databases.ops),
    schedules: createScheduleStore(databases.ops),
    clock: { now: () => new Date() },

    events: async () => {
      const subject = `offsite/${name}`;
      return (await createEventStore(databases.ops).list({ limit: 50, subject })).map(({ type }) => type);
    },

    async point(minutesAgo: number, takenBy = box): Promise<string> {
      const takenAt = new Date(Date.now() - minutesAgo * 60_000);
      const written = writePoint(points.root, { takenAt, box: takenBy, bytes: 300_000 });
      const { manifest } = signedManifestSchema.parse(
        JSON.parse(readFileSync(join(written.folder, 'manifest.json'), 'utf8')),
      );
      await writeManifest(written.folder, manifest, await openSigningKey(keys));
      await recoveryPoints.record(manifest, box);
      return written.stamp;
    },

    planner() {
      const { locks, schedules } = this;
      return createTargetPlanner({ offsite, retention, locks, schedules, now: () => this.clock.now() });
    },

    /** As local retention leaves it when the grace of the trash is over. */
    async purge(...stamps: readonly string[]): Promise<void> {
      for (const stamp of stamps) {
        rmSync(points.folderOf(stamp, 'kept'), { recursive: true });
        await recoveryPoints.moved(stamp, 'purged', box);
      }
    },

    /** How retention speaks to the target. */
    openTarget: open,

    /** Everything that the workflows call, for a box whose points are in `at`. */
    activities(at = points, trusted = keys, over: Partial<PushActivities & LetGoActivities> = {}): object {
      const { locks } = this;
      const now = () => this.clock.now();
      const events = createEventStore(databases.ops);
      const backupRuns = createBackupRunStore(databases.ops);
      const plan = this.planner();
      const pushing = createPushActivities({
        offsite,
        openTarget: open,
        folderOf: (stamp) => at.folderOf(stamp, 'kept'),
      });
      return {
        ...createPushRowActivities({ offsite, retention, plan, events }),
        ...createLetGoActivities({
          offsite,
          retention,
          recoveryPoints,
          plan,
          openTarget: (...asked) => this.openTarget(...asked),
          now,
        }),
        ...createBackupRowActivities({
          ...{ backupRuns, events, pins: createPinStore(databases), wakeTargets: async () => undefined },
        }),
        ...createPullActivities({
          ...{ offsite, openTarget: open, points: at, box, recoveryPoints, backupRuns },
          tidy: async () => undefined,
          trusted: () => readTrustedKeys(trusted),
        }),
        ...pushing,
        ...over,
        takeLocks: async (wishes: readonly LockWish[], run: RunOfLock) => {
          const taken = await locks.acquire(wishes, run);
          if ('held' in taken) return taken.held;
          throw new Error(`${taken.holders[0]?.resource ?? ''} is held`);
        },
        releaseLocks: ({ run_id }: RunOfLock) => locks.releaseRun(run_id),
      };
    },
  };
}

export type OffsiteTestWorld = Awaited<ReturnType<typeof offsiteWorld>>;

export function runPush(
  on: OffsiteTestWorld,
  activities: object,
  meanwhile?: Parameters<typeof runOnTemporal>[1],
): Promise<null> {
  const input = { target: on.target.name, box: ownBox };
  return runOnTemporal({ type: 'push', workflowId: `push/${on.target.name}`, input, activities }, meanwhile);
}

export function runPull(on: OffsiteTestWorld, activities: object, stamp?: string): Promise<BackupResult> {
  const request = { target: on.target.name, ...(stamp === undefined ? {} : { stamp }) };
  const input = { backup_id: randomUUID(), box: ownBox, actor: 'tester', trigger: 'operator', request };
  return runOnTemporal({ type: 'pull', workflowId: `pull/${randomUUID()}`, input, activities });
}

export async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await sleep(50);
}

export async function statesOf({ offsite, target }: OffsiteTestWorld): Promise<Record<string, string>> {
  return Object.fromEntries((await offsite.copies(target.name)).map(({ stamp, state }) => [stamp, state]));
}
