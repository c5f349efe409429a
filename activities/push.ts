import { readLocalPoint } from '../adapters/offsite/local-point.ts';
import type { OffsiteTarget } from '../adapters/offsite/target.ts';
import type { EventStore } from '../adapters/postgres/events.ts';
import type { OffsiteRetentionStore } from '../adapters/postgres/offsite-retention.ts';
import type { DuePoint, OffsiteStore, StoredTarget } from '../adapters/postgres/offsite.ts';
import type { PushSaid, RemovalSaid } from '../domain/offsite/run.ts';
import { OffsiteTrouble } from '../domain/offsite/trouble.ts';
import { beating } from './heartbeat.ts';
import { nowAndThen } from './now-and-then.ts';
import type { TargetPlanner } from './retention.ts';

export interface PushRowDeps {
  readonly offsite: OffsiteStore;
  readonly retention: Pick<OffsiteRetentionStore, 'removed' | 'changes' | 'say'>;
  readonly plan: Pick<TargetPlanner, 'at'>;
  readonly events: EventStore;
}

export interface PushDeps {
  readonly offsite: Pick<OffsiteStore, 'find' | 'beginCopy' | 'tell'>;
  readonly openTarget: (target: StoredTarget, signal: AbortSignal) => Promise<OffsiteTarget>;
  /** Of a published point. */
  readonly folderOf: (stamp: string) => string;
}

/** What a push does to rows; any worker can. Each may be repeated. */
export function createPushRowActivities({ offsite, retention, plan, events }: PushRowDeps) {
  const isNews = async (target: string, { state, reason }: RemovalSaid): Promise<boolean> =>
    state === 'removed' ||
    (state === 'away' ? await offsite.changes(target, { state }) : await retention.changes(target, reason));

  return {
    nextToPush: (target: string): Promise<DuePoint | null> => offsite.nextToPush(target),

    /** One event a change of state: of the target, and of the point that counts as off-host from now on. */
    async recordPush(target: string, stamp: string, said: PushSaid, once: string): Promise<void> {
      const { state, reason, bytes } = said;
      // Before the rows say so: after them, nobody would know any more that it is news.
      if (state === 'verified' || (await offsite.changes(target, said))) {
        const type = `offsite.${state}`;
        await events.append({
          ...{ type, subject: `offsite/${target}`, actor: 'holdfast', once: `${once}/${type}` },
          data: { target, stamp, reason, bytes },
        });
      }
      await offsite.record(target, stamp, said);
    },

    /** What retention lets go at a target, newest first; what stands in the way of all of it is said of the target. */
    async toLetGo(target: string): Promise<string[]> {
      const { drop, blocked } = await plan.at(target);
      if (drop.length === 0) await retention.say(target, blocked);
      return drop.map(({ stamp }) => stamp);
    },

    /** One event a copy that went, and a change of state of the target. */
    async recordRemoval(target: string, stamp: string, { state, reason }: RemovalSaid, once: string): Promise<void> {
      if (state === 'kept') return;
      // As above: before the rows say so.
      if (await isNews(target, { state, reason })) {
        const type = state === 'denied' ? 'offsite.retention_denied' : `offsite.${state}`;
        await events.append({
          ...{ type, subject: `offsite/${target}`, actor: 'holdfast', once: `${once}/${type}` },
          data: { target, stamp, reason },
        });
      }
      if (state === 'removed') {
        await retention.removed(target, stamp, reason);
        await offsite.looked(target, 'reachable', null);
      }
      if (state === 'away') await offsite.looked(target, state, reason);
      else await retention.say(target, state === 'denied' ? reason : null);
    },
  };
}

export type PushRowActivities = ReturnType<typeof createPushRowActivities>;

/** On the box whose points they are. */
export function createPushActivities({ offsite, openTarget, folderOf }: PushDeps) {
  return {
    /**
     * One try to make one copy. What the target says is a result: whether and when it is tried again is decided by the run. A try
     * that is lost goes on where it was, and reads nothing back twice.
     */
    pushPoint: (name: string, due: DuePoint): Promise<PushSaid> =>
      beating<string[], PushSaid>([], async (verified, beat, signal) => {
        const target = await offsite.find(name);
        if (target === null) return { state: 'gone', reason: `There is no target ${name} any more`, bytes: 0 };
        await offsite.beginCopy(name, due);
        const opened = await openTarget(target, signal);
        let there = 0;
        try {
          const point = await readLocalPoint(folderOf(due.stamp));
          const tell = nowAndThen((bytes: number) => offsite.tell(name, due.stamp, (there = bytes)));
          const findings = await opened.put(point, {
            progress: ({ step, done_bytes }) => {
              if (step === 'upload') tell(done_bytes);
            },
            verified,
            onVerified: (member) => beat((verified = [...verified, member])),
          });
          const bad = findings.find(({ ok }) => !ok);
          if (bad === undefined) return { state: 'verified', reason: 'read back whole', bytes: due.bytes };
          return { state: 'damaged', reason: `${bad.check}: ${bad.reason}`, bytes: there };
        } catch (error) {
          signal.throwIfAborted();
          return { ...saidOf(error, due.stamp), bytes: there };
        } finally {
          await opened.close();
        }
      }),
  };
}

export type PushActivities = ReturnType<typeof createPushActivities>;

/** Anything that is no trouble of the target's is a fault, and is tried again by Temporal. */
function saidOf(error: unknown, stamp: string): Pick<PushSaid, 'state' | 'reason'> {
  if (error instanceof OffsiteTrouble) return { state: error.kind, reason: error.message };
  if ((error as NodeJS.ErrnoException).code === 'ENOENT')
    return { state: 'gone', reason: `${stamp} is not whole on this box any more` };
  throw error;
}
