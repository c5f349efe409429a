import type { Progress, Watched } from '../adapters/backup/deps.ts';
import type { BesideRestore } from '../adapters/restore/beside.ts';
import type { LeftSides } from '../adapters/restore/left-sides.ts';
import type { FileSides } from '../adapters/restore/file-sides.ts';
import type { RunningServices } from '../adapters/restore/running-services.ts';
import type { Sides } from '../adapters/restore/sides.ts';
import type { Preflight } from '../adapters/restore/preflight.ts';
import type { RestoreHealth } from '../adapters/restore/health.ts';
import { PermanentFailure } from '../domain/failures.ts';
import type { PreflightReport } from '../domain/restore/preflight.ts';
import type { RestoreReference, WantedSet } from '../domain/restore/run.ts';
import type { RestoreRequest } from '../domain/restore/schemas.ts';
import { withHeartbeat } from './heartbeat.ts';
import { nowAndThen } from './now-and-then.ts';

export interface RestoreVerdict {
  readonly ok: boolean;
  readonly reason: string;
  readonly detail: object;
}

export interface RestoreDeps {
  readonly dropLeft: LeftSides;
  readonly preflight: Preflight;
  readonly beside: BesideRestore;
  readonly sides: Sides;
  readonly files: FileSides;
  readonly running: RunningServices;
  readonly health: RestoreHealth;
  /** Of the lock on the data (G9). */
  readonly holdsLock: (token: string) => Promise<boolean>;
  readonly tell: (restore_id: string, progress: Progress) => Promise<void>;
}

/** What a restore does on the box that the point and the folders are on. Each looks at how far an earlier attempt got. */
export function createRestoreActivities(deps: RestoreDeps) {
  const { preflight, beside, sides, files, running, health } = deps;

  /** Before anything that everybody sees is changed. */
  async function demandLock({ lock_token }: RestoreReference): Promise<void> {
    if (lock_token !== null && (await deps.holdsLock(lock_token))) return;
    throw new PermanentFailure('LockLost', 'This restore does not hold the data any more');
  }

  /** People are told how far it is. */
  function watching<T>({ restore_id }: RestoreReference, work: (watched: Watched) => Promise<T>): Promise<T> {
    return withHeartbeat((signal) =>
      work({ signal, beat: nowAndThen((progress: Progress) => deps.tell(restore_id, progress)) }),
    );
  }

  return {
    /** First what restores before it had to leave goes: its room and its folders are wanted now. */
    preflight: (ref: RestoreReference, request: RestoreRequest): Promise<PreflightReport> =>
      watching(ref, async (watched) => {
        const left = await deps.dropLeft(ref, watched.signal);
        const report = await preflight(ref, request, watched);
        return { ...report, checks: [...left, ...report.checks] };
      }),

    /** What was let in before the lock was taken is over, and what it noted for the audit is carried over. */
    async settleWriters(ref: RestoreReference): Promise<RestoreVerdict> {
      await demandLock(ref);
      return withHeartbeat((signal) => sides.settleWriters(signal));
    },

    restoreDatabase: (ref: RestoreReference): Promise<{ ms: number }> =>
      watching(ref, (watched) => timed(() => beside.database(ref, watched))),

    /** `rebuilt`: those whose points were computed from Postgres, and why. */
    restoreCollections: (
      ref: RestoreReference,
      vectors: boolean,
    ): Promise<{ ms: number; rebuilt: readonly string[] }> =>
      watching(ref, (watched) => timed(() => beside.collections(ref, vectors, watched))),

    unpackFiles: (ref: RestoreReference, set: string): Promise<{ ms: number; files: number; bytes: number }> =>
      watching(ref, (watched) => timed(() => files.unpack(ref, set, watched))),

    /** L2, of just the objects that are to be live. */
    compare: (ref: RestoreReference): Promise<RestoreVerdict> =>
      watching(ref, (watched) => beside.compare(ref, watched)),

    /** Brought forward to this version, with nothing left of waves that ran when the point was taken. */
    makeReady: (ref: RestoreReference): Promise<object> => withHeartbeat(() => sides.makeReady(ref)),

    /** Really, whatever was said. */
    servicesStopped: ({ stamp }: RestoreReference, sets: readonly WantedSet[]): Promise<RestoreVerdict> =>
      withHeartbeat((signal) => running.whoUses(stamp, sets, signal)),

    replaceFiles: (ref: RestoreReference, set: string): Promise<void> =>
      withHeartbeat(async () => {
        await demandLock(ref);
        await files.replace(ref, set);
      }),

    swapDatabase: (ref: RestoreReference): Promise<{ ms: number }> =>
      withHeartbeat(() =>
        timed(async () => {
          await demandLock(ref);
          await sides.swap(ref);
          return {};
        }),
      ),

    /** What is not in the swapped database and has to agree with it: tombstones, memories, points. After either way. */
    takeOver: (ref: RestoreReference): Promise<object> => withHeartbeat((signal) => sides.takeOver(ref, signal)),

    health: (ref: RestoreReference): Promise<RestoreVerdict> => withHeartbeat((signal) => health(ref, signal)),

    /** Where nothing was swapped it does nothing. */
    swapBack: (ref: RestoreReference): Promise<void> =>
      withHeartbeat(async () => {
        await demandLock(ref);
        await sides.swapBack(ref);
      }),

    undoFiles: (ref: RestoreReference, set: string): Promise<void> =>
      withHeartbeat(async () => {
        await demandLock(ref);
        await files.undo(ref, set);
      }),

    /** All of the side that is not live: what was restored. */
    dropRestored: (ref: RestoreReference): Promise<void> =>
      withHeartbeat(async (signal) => {
        await beside.tidy(ref);
        await files.drop(ref, 'restored');
        await sides.drop(ref, 'restored', signal);
      }),

    /** All of the side that is not live: what was there before. There is no undo after it. */
    dropOld: (ref: RestoreReference): Promise<void> =>
      withHeartbeat(async (signal) => {
        await files.drop(ref, 'old');
        await sides.drop(ref, 'old', signal);
      }),
  };
}

export type RestoreActivities = ReturnType<typeof createRestoreActivities>;

async function timed<T extends object>(work: () => Promise<T>): Promise<T & { readonly ms: number }> {
  const from = performance.now();
  const done = await work();
  return { ...done, ms: Math.round(performance.now() - from) };
}
