import { lagOf, type Lag } from '../../domain/offsite/lag.ts';
import type { PushSaid } from '../../domain/offsite/run.ts';
import type { CopyState, TargetRetention, TargetState } from '../../domain/offsite/schemas.ts';
import type { TargetSpec } from '../../domain/offsite/spec.ts';
import type { Sql } from './connect.ts';

export interface StoredTarget {
  readonly name: string;
  readonly id: string;
  readonly box: string;
  readonly spec: TargetSpec;
  readonly enabled: boolean;
  readonly retention: TargetRetention;
  /** Why what retention lets go cannot be taken away there; null: nothing is in the way. */
  readonly retention_reason: string | null;
  readonly actor: string;
  readonly state: TargetState;
  readonly reason: string | null;
  readonly since: Date;
  readonly looked_at: Date | null;
}

export interface StoredCopy {
  readonly stamp: string;
  readonly state: CopyState;
  readonly bytes: number;
  readonly total_bytes: number;
  readonly reason: string | null;
  readonly begun_at: Date;
  readonly verified_at: Date | null;
}

export interface DuePoint {
  readonly stamp: string;
  readonly bytes: number;
}

/** What is damaged or refused at a target is tried again by itself after so long, and at once when somebody asks. */
const againHours = 6;

export type OffsiteStore = ReturnType<typeof createOffsiteStore>;

/** Row B5: other places, and what of every point is at each. Every write may be repeated. */
export function createOffsiteStore(sql: Sql) {
  const columns = sql`name, id, box, spec, enabled, retention, retention_reason, actor, state, reason, since, looked_at`;
  // What a restore could take (recovery_points says what that is).
  const restorable = sql`p.place = 'kept' and p.standing = 'good' and p.proved ? 'L2'`;

  const duePoints = (target: string) => sql`
    from offsite_targets t join recovery_points p on p.box = t.box
    left join offsite_copies c on c.stamp = p.stamp and c.target = t.name
    where t.name = ${target} and t.enabled and ${restorable}
      and (c.state is null or c.state in ('uploading', 'removed')
        or (c.state in ('damaged', 'refused') and c.changed_at < now() - make_interval(hours => ${againHours})))`;

  async function lag({ name, box }: Pick<StoredTarget, 'name' | 'box'>, now = new Date()): Promise<Lag> {
    const points = await sql<{ stamp: string; takenAt: Date; bytes: string }[]>`
      select stamp, taken_at as "takenAt", stored_bytes as bytes from recovery_points p
      where box = ${box} and ${restorable}`;
    const verified = await sql<{ stamp: string }[]>`
      select stamp from offsite_copies where target = ${name} and state = 'verified'`;
    const counted = points.map(({ bytes, ...point }) => ({ ...point, bytes: Number(bytes) }));
    return lagOf({ points: counted, verified: verified.map(({ stamp }) => stamp) }, now);
  }

  /** How the target was found. */
  async function looked(target: string, state: TargetState, reason: string | null): Promise<void> {
    await sql`
      update offsite_targets set state = ${state}, reason = ${reason}, looked_at = now(),
        since = case when state = ${state} then since else now() end
      where name = ${target}`;
  }

  return {
    /** One of that name is told anew; its id stays with the place that has it as its marker. */
    async put(
      target: Pick<StoredTarget, 'name' | 'id' | 'box' | 'spec' | 'enabled' | 'retention' | 'actor'>,
    ): Promise<void> {
      const { name, id, box, spec, enabled, retention, actor } = target;
      await sql`
        insert into offsite_targets (name, id, box, spec, enabled, retention, actor)
        values (${name}, ${id}, ${box}, ${sql.json(spec)}, ${enabled}, ${retention}, ${actor})
        on conflict (name) do update set id = excluded.id, box = excluded.box, spec = excluded.spec,
          enabled = excluded.enabled, retention = excluded.retention, retention_reason = null, actor = excluded.actor,
          changed_at = now()`;
    },

    async find(name: string): Promise<StoredTarget | null> {
      const [row] = await sql<StoredTarget[]>`select ${columns} from offsite_targets where name = ${name}`;
      return row ?? null;
    },

    list: (): Promise<StoredTarget[]> => sql<StoredTarget[]>`select ${columns} from offsite_targets order by name`,

    /** What lies there stays; nothing is pushed there any more. */
    async remove(name: string): Promise<void> {
      await sql`delete from offsite_targets where name = ${name}`;
    },

    /** Newest first. */
    async copies(target: string, limit = 100): Promise<StoredCopy[]> {
      const rows = await sql<(Omit<StoredCopy, 'bytes' | 'total_bytes'> & { bytes: string; total_bytes: string })[]>`
        select stamp, state, bytes, total_bytes, reason, begun_at, verified_at from offsite_copies
        where target = ${target} order by stamp desc limit ${limit}`;
      return rows.map((row) => ({ ...row, bytes: Number(row.bytes), total_bytes: Number(row.total_bytes) }));
    },

    /** The newest point that the target should have and has not. null: it has all, or is not to be used. */
    async nextToPush(target: string): Promise<DuePoint | null> {
      const [row] = await sql<{ stamp: string; bytes: string }[]>`
        select p.stamp, p.stored_bytes as bytes ${duePoints(target)} order by p.taken_at desc, p.stamp desc limit 1`;
      return row === undefined ? null : { stamp: row.stamp, bytes: Number(row.bytes) };
    },

    /** How many it should have and has not, and are tried now. */
    async due(target: string): Promise<number> {
      const [row] = await sql<{ due: string }[]>`select count(*) as due ${duePoints(target)}`;
      return Number(row?.due ?? 0);
    },

    /** Somebody asks for it: what was refused or damaged is tried again. */
    async tryAgain(target: string): Promise<void> {
      await sql`
        update offsite_copies set state = 'uploading', changed_at = now()
        where target = ${target} and state in ('damaged', 'refused')`;
    },

    /** The target is another place from now on: nothing counts there that was not read back there. */
    async forgetCopies(target: string): Promise<void> {
      await sql`delete from offsite_copies where target = ${target}`;
    },

    async beginCopy(target: string, { stamp, bytes }: DuePoint): Promise<void> {
      await sql`
        insert into offsite_copies (stamp, target, state, total_bytes) values (${stamp}, ${target}, 'uploading', ${bytes})
        on conflict (stamp, target) do update set state = 'uploading', total_bytes = ${bytes}, changed_at = now()`;
    },

    /** How far it is; nothing is decided by it. */
    async tell(target: string, stamp: string, bytes: number): Promise<void> {
      await sql`
        update offsite_copies set bytes = ${bytes} where target = ${target} and stamp = ${stamp} and state = 'uploading'`;
    },

    /** Would what came of a try bring the target into another state than it is in? */
    async changes(target: string, { state }: Pick<PushSaid, 'state'>): Promise<boolean> {
      const [row] = await sql<{ state: TargetState }[]>`select state from offsite_targets where name = ${target}`;
      return row !== undefined && row.state !== stateAfter(state);
    },

    /** What came of a try. */
    async record(target: string, stamp: string, { state, reason, bytes }: PushSaid): Promise<void> {
      const copy: CopyState =
        state === 'verified' || state === 'damaged' ? state : isOfTarget(state) ? 'uploading' : 'refused';
      await sql`
        update offsite_copies set state = ${copy}, reason = ${copy === 'verified' ? null : reason},
          bytes = greatest(bytes, ${bytes}), changed_at = now(),
          verified_at = case when ${copy} = 'verified' then now() else verified_at end
        where target = ${target} and stamp = ${stamp}`;
      await looked(target, stateAfter(state), isOfTarget(state) ? reason : null);
    },

    looked,

    lag,

    /** Of every target, for those who watch. */
    async lags(): Promise<(Lag & Pick<StoredTarget, 'state' | 'retention_reason'> & { readonly target: string })[]> {
      const targets = await sql<StoredTarget[]>`select ${columns} from offsite_targets where enabled order by name`;
      return Promise.all(
        targets.map(async (each) => {
          const { name, state, retention_reason } = each;
          return { target: name, state, retention_reason, ...(await lag(each)) };
        }),
      );
    },
  };
}

/** Trouble of the place as a whole, not of one point. */
function isOfTarget(state: PushSaid['state']): state is 'away' | 'full' | 'refused' {
  return state === 'away' || state === 'full' || state === 'refused';
}

function stateAfter(state: PushSaid['state']): TargetState {
  return isOfTarget(state) ? state : 'reachable';
}
