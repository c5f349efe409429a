import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { checkBytes, checkManifest } from '../adapters/backup/bytes.ts';
import { manifestName, readBytes } from '../adapters/backup/manifest-file.ts';
import type { Points } from '../adapters/backup/points.ts';
import type { TrustedKeys } from '../adapters/backup/signing-key.ts';
import { noRoomOr } from '../adapters/files/no-room.ts';
import type { OffsiteProgress, OffsiteTarget } from '../adapters/offsite/target.ts';
import type { BackupRunStore } from '../adapters/postgres/backup-runs.ts';
import type { OffsiteStore, StoredTarget } from '../adapters/postgres/offsite.ts';
import type { RecoveryPointStore } from '../adapters/postgres/recovery-points.ts';
import type { Finding } from '../domain/backup/finding.ts';
import type { Manifest } from '../domain/backup/manifest.ts';
import { PermanentFailure } from '../domain/failures.ts';
import type { PullRequest } from '../domain/offsite/schemas.ts';
import { OffsiteTrouble, type TroubleKind } from '../domain/offsite/trouble.ts';
import { withHeartbeat } from './heartbeat.ts';
import { ownRun } from './own-run.ts';
import type { Tidier } from './tidy-points.ts';
import { nowAndThen } from './now-and-then.ts';

export interface PulledPoint {
  readonly ok: boolean;
  readonly reason: string;
  readonly detail: object;
  readonly members: number;
  readonly plain_bytes: number;
  readonly stored_bytes: number;
  readonly ms: number;
}

export interface PullDeps {
  readonly offsite: Pick<OffsiteStore, 'find'>;
  readonly openTarget: (target: StoredTarget, signal: AbortSignal) => Promise<OffsiteTarget>;
  readonly points: Points;
  readonly trusted: () => Promise<TrustedKeys>;
  readonly recoveryPoints: Pick<RecoveryPointStore, 'record'>;
  readonly backupRuns: Pick<BackupRunStore, 'tell'>;
  readonly box: string;
  /** What pulls before have left. */
  readonly tidy: (tidier: Tidier) => Promise<void>;
}

/** On the box that the point is to lie on, which may have nothing else. */
export function createPullActivities(deps: PullDeps) {
  const { points } = deps;

  async function atTarget<T>(
    name: string,
    signal: AbortSignal,
    work: (target: OffsiteTarget) => Promise<T>,
  ): Promise<T> {
    const target = await deps.offsite.find(name);
    if (target === null) throw new PermanentFailure('PointUnknown', `There is no off-host target ${name}`);
    const opened = await deps.openTarget(target, signal);
    try {
      return await work(opened);
    } catch (error) {
      // What is full here is this box's own disk.
      if (!(error instanceof OffsiteTrouble) || error.kind === 'away') throw noRoomOr(error);
      throw new PermanentFailure(failureOf[error.kind], error.message);
    } finally {
      await opened.close();
    }
  }

  /** Findings of a point that is here already: nothing is brought over it, and a damaged one is not what was asked for. */
  async function whatIsHere(stamp: string, signal: AbortSignal): Promise<Finding[]> {
    const folder = points.folderOf(stamp, 'kept');
    const { manifest, findings } = checkManifest(await readBytes(folder, manifestName), await deps.trusted(), stamp);
    return manifest === null ? findings : [...findings, ...(await checkBytes(folder, manifest, { signal }))];
  }

  return {
    /** The one that was asked for, or the newest that is whole there. */
    pickPoint: ({ target, stamp }: PullRequest): Promise<string> =>
      withHeartbeat((signal) =>
        atTarget(target, signal, async (opened) => {
          if (stamp !== undefined) return stamp;
          const newest = (await opened.list()).find(({ complete }) => complete);
          if (newest === undefined) throw new PermanentFailure('PointUnknown', `There is no point at ${target}`);
          return newest.stamp;
        }),
      ),

    /** Into a folder that nobody takes for a point; what an attempt before brought stays. Believed only if a trusted key signed it. */
    fetchPoint: (backup_id: string, target: string, stamp: string): Promise<PulledPoint> =>
      withHeartbeat((signal) =>
        atTarget(target, signal, async (opened) => {
          const from = performance.now();
          if (await points.isPublished(stamp))
            return pulled(await whatIsHere(stamp, signal), null, 'it is here already', from);
          const manifest = await opened.manifest(stamp);
          if (manifest === null) throw new PermanentFailure('PointUnknown', `There is no point ${stamp} at ${target}`);
          const checked = checkManifest(manifest, await deps.trusted(), stamp);
          if (checked.manifest === null)
            return pulled(checked.findings, null, 'its manifest is not to be believed', from);
          await deps.tidy({ run: ownRun(), signal, own: stamp });
          const folder = points.folderOf(stamp, 'partial');
          await mkdir(dirname(folder), { recursive: true, mode: 0o700 });
          const progress = nowAndThen((each: OffsiteProgress) => deps.backupRuns.tell(backup_id, each));
          const findings = [...checked.findings, ...(await opened.get(stamp, folder, { progress }))];
          // Between the two readings it could have become another one.
          const same = (await readFile(join(folder, 'manifest.json')).catch(() => null))?.equals(manifest) === true;
          if (!same) findings.push(changedMeanwhile);
          return pulled(findings, checked.manifest, 'as its manifest says', from);
        }),
      ),

    /** Its name, then its row. */
    async publishPulled(stamp: string): Promise<void> {
      await points.publish(stamp);
      const bytes = await readFile(join(points.folderOf(stamp, 'kept'), 'manifest.json'));
      const { manifest } = checkManifest(bytes, await deps.trusted(), stamp);
      if (manifest === null)
        throw new PermanentFailure('ManifestRefused', `The manifest of ${stamp} is not to be believed`);
      await deps.recoveryPoints.record(manifest, deps.box);
    },
  };
}

const changedMeanwhile: Finding = {
  ...{ level: 'L0', check: 'offsite.manifest', ok: false, detail: {} },
  reason: 'Not all of it came, or its manifest changed meanwhile',
};

const failureOf: Readonly<
  Record<Exclude<TroubleKind, 'away'>, 'PointUnknown' | 'ManifestRefused' | 'NoRoom' | 'GuardRefused'>
> = {
  ...{ gone: 'PointUnknown', differs: 'ManifestRefused', full: 'NoRoom', refused: 'GuardRefused' },
};

export type PullActivities = ReturnType<typeof createPullActivities>;

function pulled(findings: readonly Finding[], manifest: Manifest | null, well: string, from: number): PulledPoint {
  const bad = findings.filter(({ ok }) => !ok);
  const sum = (of: 'plain' | 'stored'): number =>
    manifest?.members.reduce((bytes, member) => bytes + member[of].bytes, 0) ?? 0;
  return {
    ok: bad.length === 0,
    reason: bad[0] === undefined ? well : `${bad[0].check}: ${bad[0].reason}`,
    detail: { checks: findings.length, failed: bad.map(({ check, reason }) => ({ check, reason })) },
    ...{ members: manifest?.members.length ?? 0, plain_bytes: sum('plain'), stored_bytes: sum('stored') },
    ms: Math.round(performance.now() - from),
  };
}
