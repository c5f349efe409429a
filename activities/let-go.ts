import { factsOf, type PointFacts } from '../adapters/offsite/local-point.ts';
import type { OffsiteTarget } from '../adapters/offsite/target.ts';
import type { OffsiteRetentionStore } from '../adapters/postgres/offsite-retention.ts';
import type { OffsiteStore, StoredTarget } from '../adapters/postgres/offsite.ts';
import type { RecoveryPointStore } from '../adapters/postgres/recovery-points.ts';
import { catalogDifference } from '../domain/backup/catalog.ts';
import type { RetentionPlan } from '../domain/backup/retention.ts';
import type { RemovalSaid } from '../domain/offsite/run.ts';
import { OffsiteTrouble } from '../domain/offsite/trouble.ts';
import { withHeartbeat } from './heartbeat.ts';
import type { TargetPlanner } from './retention.ts';

export interface LetGoDeps {
  readonly offsite: Pick<OffsiteStore, 'find'>;
  readonly retention: OffsiteRetentionStore;
  readonly recoveryPoints: Pick<RecoveryPointStore, 'find'>;
  readonly plan: Pick<TargetPlanner, 'at'>;
  readonly openTarget: (target: StoredTarget, signal: AbortSignal) => Promise<OffsiteTarget>;
  readonly now: () => Date;
}

/** Nothing is taken away behind a newest copy that nobody has read for longer. */
const readWithinMs = 86_400_000;

/** Row B4 at a target, on the box that speaks to it. */
export function createLetGoActivities(deps: LetGoDeps) {
  const { offsite, retention, recoveryPoints, plan } = deps;

  /** What the target has under that STAMP, if it is this very point. */
  async function oursAt(opened: OffsiteTarget, stamp: string): Promise<PointFacts | null> {
    const [bytes, point] = [await opened.manifest(stamp), await recoveryPoints.find(stamp)];
    if (bytes === null || point === null) return null;
    const there = factsOf(bytes);
    const sums = ({ members }: Pick<PointFacts, 'members'>): string =>
      members.map(({ name, stored }) => `${name} ${stored.sha256}`).join('\n');
    return there.stamp === stamp && sums(there) === sums(point.manifest) ? there : null;
  }

  /** What is not there any more is known from now on, and nothing goes by such a listing. */
  async function suspect(target: string, isWhole: (stamp: string, bytes: number) => boolean): Promise<string | null> {
    const copies = (await retention.copies(target)).filter(({ removing }) => !removing);
    const there = copies.filter(({ stamp, total_bytes }) => isWhole(stamp, total_bytes)).map(({ stamp }) => stamp);
    const rows = copies.map(({ stamp }) => ({ stamp, place: 'kept' as const }));
    const { missing, suspect: reason } = catalogDifference(there, rows);
    for (const stamp of missing) await retention.judge(target, stamp, 'It is not whole at the target any more');
    return reason;
  }

  /** All others may go because it is there. null: it is as it should be. */
  async function newestFault(target: string, opened: OffsiteTarget): Promise<string | null> {
    const newest = (await retention.copies(target)).find(({ proven, removing }) => proven && !removing);
    if (newest === undefined) return 'no proven point is there';
    const { stamp, verified_at } = newest;
    if (deps.now().getTime() - verified_at.getTime() < readWithinMs) return null;
    const facts = await oursAt(opened, stamp);
    const findings = facts === null ? [anotherManifest] : await opened.readBack(facts);
    const fault = findings.find(({ ok }) => !ok)?.reason ?? null;
    await retention.judge(target, stamp, fault);
    return fault === null ? null : `the newest proven point there, ${stamp}, is damaged: ${fault}`;
  }

  /** Decided once more, by what is really there, now that nobody can begin to use it. */
  async function remove(target: string, stamp: string, opened: OffsiteTarget): Promise<RemovalSaid> {
    const listed = new Map((await opened.list()).map((each) => [each.stamp, each]));
    const isWhole = (each: string, bytes = 0): boolean => {
      const there = listed.get(each);
      return there?.complete === true && there.bytes > bytes;
    };
    const reason = await suspect(target, isWhole);
    if (reason !== null) return denied(`the listing is suspect: ${reason}`);
    const point = await recoveryPoints.find(stamp);
    const decided = await plan.at(target, { whole: isWhole(stamp) ? [stamp] : [] });
    const own = decided.drop.find((each) => each.stamp === stamp);
    if (decided.blocked !== null) return denied(decided.blocked);
    if (own === undefined || point === null) {
      if (isWhole(stamp)) await retention.keep(target, stamp);
      return { state: 'kept', reason: whyKept(decided, stamp) };
    }
    if (isWhole(stamp)) {
      const fault = await newestFault(target, opened);
      if (fault !== null) return denied(fault);
      if ((await oursAt(opened, stamp)) === null) {
        await retention.judge(target, stamp, anotherManifest.reason);
        return denied(`${stamp}: ${anotherManifest.reason}`);
      }
    }
    await retention.begin(target, stamp);
    await opened.remove({ stamp, members: point.manifest.members });
    return { state: 'removed', reason: own.why };
  }

  return {
    /** One try to take one copy away. What the target says is a result. May be repeated: what was begun is finished. */
    removeCopy: (name: string, stamp: string): Promise<RemovalSaid> =>
      withHeartbeat(async (signal) => {
        const target = await offsite.find(name);
        if (target === null) return { state: 'kept', reason: `There is no target ${name} any more` };
        const opened = await deps.openTarget(target, signal);
        try {
          return await remove(name, stamp, opened);
        } catch (error) {
          signal.throwIfAborted();
          if (!(error instanceof OffsiteTrouble)) throw error;
          return { state: error.kind === 'away' ? 'away' : 'denied', reason: error.message };
        } finally {
          await opened.close();
        }
      }),
  };
}

export type LetGoActivities = ReturnType<typeof createLetGoActivities>;

const anotherManifest = { ok: false, reason: 'The target has another manifest there than this box has written' };

function denied(reason: string): RemovalSaid {
  return { state: 'denied', reason };
}

function whyKept({ keep }: RetentionPlan, stamp: string): string {
  return keep.find((each) => each.stamp === stamp)?.why ?? 'it is not one of those that retention decides on';
}
