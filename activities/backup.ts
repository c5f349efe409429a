import { Context } from '@temporalio/activity';
import type { PointMaker } from '../adapters/backup/point-maker.ts';
import type { BackupRunStore } from '../adapters/postgres/backup-runs.ts';
import type { RecoveryPointStore } from '../adapters/postgres/recovery-points.ts';
import type { Finding } from '../domain/backup/finding.ts';
import type { Proved } from '../domain/backup/manifest.ts';
import type { Room } from '../domain/backup/room.ts';
import type { BackupReference } from '../domain/backup/run.ts';
import type { BackupProgress, BackupRequest } from '../domain/backup/schemas.ts';
import { verdictOf } from '../domain/backup/verdict.ts';
import type { ProvenLevel } from '../domain/backup/words.ts';
import { PermanentFailure } from '../domain/failures.ts';
import { withHeartbeat } from './heartbeat.ts';
import { ownRun } from './own-run.ts';
import type { Tidier } from './tidy-points.ts';
import { nowAndThen } from './now-and-then.ts';

/** A point that was copied and is not proved yet. */
export interface CopiedPoint {
  readonly stamp: string;
  readonly members: number;
  readonly plain_bytes: number;
  readonly stored_bytes: number;
  /** What is well, but not as it should be: vectors that have to be rebuilt, and why. */
  readonly degraded: readonly string[];
  readonly ms: number;
}

export interface LevelProof extends Proved {
  readonly ok: boolean;
  readonly reason: string;
  readonly detail: object;
}

export interface PointPin {
  readonly reason: string;
  readonly actor: string;
}

/** When each level was proved, for the manifest. */
export type PointProof = Readonly<Record<ProvenLevel, Proved>>;

export interface BackupDeps {
  readonly backupRuns: Pick<BackupRunStore, 'find' | 'setStamp' | 'tell'>;
  readonly recoveryPoints: Pick<RecoveryPointStore, 'record' | 'judge' | 'pin'>;
  readonly maker: PointMaker;
  readonly box: string;
  /** A stamp of this moment, behind those of all points that there are. */
  readonly newStamp: () => Promise<string>;
  readonly holdsLock: (token: string) => Promise<boolean>;
  readonly room: (request: BackupRequest) => Promise<Room>;
  /** What runs before have left. */
  readonly tidy: (tidier: Tidier) => Promise<void>;
}

export function createBackupActivities(deps: BackupDeps) {
  const { backupRuns, recoveryPoints, maker } = deps;

  const teller = (backup_id: string): ((progress: BackupProgress) => void) =>
    nowAndThen((progress) => backupRuns.tell(backup_id, progress));

  async function proved(
    { backup_id }: BackupReference,
    work: (each: {
      signal: AbortSignal;
      attempt: number;
      beat: (progress: BackupProgress) => void;
    }) => Promise<Finding[]>,
  ): Promise<LevelProof> {
    const { attempt } = Context.current().info;
    return withHeartbeat(async (signal) => {
      const from = performance.now();
      const findings = await work({ signal, attempt, beat: teller(backup_id) });
      // What cannot be read for want of a key says nothing of the point.
      const sealed = findings.find(({ detail }) => detail['type'] === 'KeyMissing');
      if (sealed !== undefined) throw new PermanentFailure('KeyMissing', sealed.reason);
      return { ...verdictOf(findings), at: new Date().toISOString(), ms: Math.round(performance.now() - from) };
    });
  }

  return {
    checkRoom: (request: BackupRequest): Promise<Room> => withHeartbeat(() => deps.room(request)),

    /**
     * G7: pin, snapshot, dump, hashes, Qdrant after it: one attempt. One that was lost may still have a pg_dump that writes, so
     * each attempt has a stamp and a folder of its own, and what the one before it left is taken away first.
     */
    copyPoint: ({ backup_id }: BackupReference, { include_vectors }: BackupRequest): Promise<CopiedPoint> =>
      withHeartbeat(async (signal) => {
        const before = (await backupRuns.find(backup_id))?.stamp ?? null;
        if (before !== null) await maker.discard(before);
        await deps.tidy({ run: ownRun(), signal, own: backup_id });
        const from = performance.now();
        const stamp = await deps.newStamp();
        await backupRuns.setStamp(backup_id, stamp);
        const order = { stamp, backup_id, include_vectors, signal, beat: teller(backup_id) };
        const copied = await maker.copy(order);
        return { ...copied, stamp, ms: Math.round(performance.now() - from) };
      }),

    /** Of a point that nobody sees yet. */
    provePoint: (ref: BackupReference, stamp: string, level: ProvenLevel): Promise<LevelProof> =>
      proved(ref, (each) => maker.prove(stamp, 'partial', level, each)),

    /** The manifest, then the name; only then is it a point. Looks first whether it is one already. */
    async publishPoint(ref: BackupReference, stamp: string, proof: PointProof, pin: PointPin | null): Promise<void> {
      if (!(await maker.isPublished(stamp))) {
        if (ref.lock_token === null || !(await deps.holdsLock(ref.lock_token)))
          throw new PermanentFailure('LockLost', 'This run does not hold the data any more');
        await maker.publish(stamp, proof, new Date());
      }
      await recoveryPoints.record(await maker.manifest(stamp), deps.box);
      if (pin !== null) await recoveryPoints.pin(stamp, pin.reason, pin.actor);
    },

    /** Nothing of an attempt that was not published stays: folder, scratch, snapshots. */
    discardPoint: (backup_id: string): Promise<{ published: boolean }> =>
      withHeartbeat(async () => {
        const stamp = (await backupRuns.find(backup_id))?.stamp ?? null;
        if (stamp === null) return { published: false };
        const published = await maker.isPublished(stamp);
        if (published) await recoveryPoints.record(await maker.manifest(stamp), deps.box);
        await maker.discard(stamp);
        return { published };
      }),

    /** Of one that was published; what is found is what retention and restores go by. */
    async validatePoint(ref: BackupReference, stamp: string, level: ProvenLevel): Promise<LevelProof> {
      const verdict = await proved(ref, (each) => maker.prove(stamp, 'kept', level, each));
      const { ok, at, reason } = verdict;
      await recoveryPoints.judge(stamp, { level, ok, reason, at: new Date(at), backup_id: ref.backup_id });
      return verdict;
    },
  };
}

export type BackupActivities = ReturnType<typeof createBackupActivities>;
