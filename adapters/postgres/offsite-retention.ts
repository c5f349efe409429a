import type { TargetCopy } from '../../domain/offsite/retention.ts';
import type { Sql } from './connect.ts';

/** What retention at a target decides by, but for who uses it now. */
interface StoredTargetCopy extends Omit<TargetCopy, 'in_use'> {
  readonly verified_at: Date;
  readonly total_bytes: number;
}

export type OffsiteRetentionStore = ReturnType<typeof createOffsiteRetentionStore>;

/** Row B4 at targets: what of the copies there may be decided on, and what has become of it. Every write may be repeated. */
export function createOffsiteRetentionStore(sql: Sql) {
  return {
    /** Of points that this box took, at a target that is in use and whose retention is not off. Newest first. */
    async copies(target: string): Promise<StoredTargetCopy[]> {
      // Bytes that went bad here say nothing of those that were read back there.
      const rows = await sql<(Omit<StoredTargetCopy, 'total_bytes'> & { total_bytes: string })[]>`
        select c.stamp, c.state = 'removing' as removing, c.verified_at, c.total_bytes, p.place,
          p.pin_reason is not null as pinned,
          p.proved ? 'L2' and (p.standing = 'good' or p.damage ->> 'level' = 'L0') as proven
        from offsite_copies c
        join offsite_targets t on t.name = c.target
        join recovery_points p on p.stamp = c.stamp and p.box = t.box and p.manifest ->> 'box' = t.box
        where c.target = ${target} and c.state in ('verified', 'removing') and t.enabled and t.retention = 'same'
        order by c.stamp desc`;
      return rows.map((row) => ({ ...row, total_bytes: Number(row.total_bytes) }));
    },

    /** Before anything of it goes: whoever comes after a crash knows what it was about. */
    async begin(target: string, stamp: string): Promise<void> {
      await sql`
        update offsite_copies set state = 'removing', changed_at = now()
        where target = ${target} and stamp = ${stamp} and state in ('verified', 'removing')`;
    },

    async removed(target: string, stamp: string, reason: string): Promise<void> {
      await sql`
        update offsite_copies set state = 'removed', bytes = 0, reason = ${reason}, changed_at = now()
        where target = ${target} and stamp = ${stamp} and state = 'removing'`;
    },

    /** Nothing of it went, and it is kept after all. */
    async keep(target: string, stamp: string): Promise<void> {
      await sql`
        update offsite_copies set state = 'verified', reason = null, changed_at = now()
        where target = ${target} and stamp = ${stamp} and state = 'removing'`;
    },

    /** Every byte of it was looked at once more. `fault` null: it is whole. */
    async judge(target: string, stamp: string, fault: string | null): Promise<void> {
      await sql`
        update offsite_copies set changed_at = now(), reason = ${fault},
          state = case when ${fault}::text is null then 'verified' else 'damaged' end,
          verified_at = case when ${fault}::text is null then now() else verified_at end
        where target = ${target} and stamp = ${stamp} and state = 'verified'`;
    },

    /** Whether nothing can be taken away there for another reason than was said. */
    async changes(target: string, reason: string): Promise<boolean> {
      const rows = await sql`
        select from offsite_targets where name = ${target} and retention_reason is distinct from ${reason}`;
      return rows.length > 0;
    },

    /** Why nothing can be taken away there; null: nothing is in the way. */
    async say(target: string, reason: string | null): Promise<void> {
      await sql`update offsite_targets set retention_reason = ${reason} where name = ${target}`;
    },
  };
}
