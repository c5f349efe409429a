import type { Manifest } from '../../domain/backup/manifest.ts';
import type { ProvenLevel } from '../../domain/backup/words.ts';
import type { Sql } from './connect.ts';

export type PointPlace = 'kept' | 'trash' | 'purged' | 'missing';

/** What a check that failed has found. */
export interface PointDamage {
  readonly level: ProvenLevel;
  readonly at: string;
  readonly reason: string;
  readonly backup_id: string;
}

export interface StoredPoint {
  readonly stamp: string;
  /** Where it lies; the manifest names the box that it was taken of. */
  readonly box: string;
  readonly taken_at: Date;
  readonly manifest: Manifest;
  readonly stored_bytes: number;
  readonly place: PointPlace;
  readonly standing: 'good' | 'damaged';
  readonly damage: PointDamage | null;
  /** When each level was passed last. */
  readonly proved: Readonly<Partial<Record<ProvenLevel | 'L3', string>>>;
  readonly pinned_by: string | null;
  readonly pinned_at: Date | null;
  readonly pin_reason: string | null;
  readonly recorded_at: Date;
  readonly trashed_at: Date | null;
  readonly purged_at: Date | null;
}

export interface PointJudgement {
  readonly level: ProvenLevel;
  readonly ok: boolean;
  readonly at: Date;
  readonly reason: string;
  readonly backup_id: string;
}

export type RecoveryPointStore = ReturnType<typeof createRecoveryPointStore>;

/** The catalog (row B4): made again from the manifests at any time; pins and judgements are known here alone. */
export function createRecoveryPointStore(sql: Sql) {
  const columns = sql`stamp, box, taken_at, manifest, stored_bytes, place, standing, damage, proved, pinned_by, pinned_at,
    pin_reason, recorded_at, trashed_at, purged_at`;

  return {
    /** What the manifest of a point says. One that is there keeps its pin, and what was found of it since. */
    async record(manifest: Manifest, box: string): Promise<void> {
      const stored = manifest.members.reduce((sum, member) => sum + member.stored.bytes, 0);
      const { L0, L1, L2 } = manifest.proof;
      await sql`
        insert into recovery_points (stamp, box, taken_at, manifest, stored_bytes, proved)
        values (${manifest.stamp}, ${box}, ${manifest.taken_at}, ${sql.json(manifest)}, ${stored},
          ${sql.json({ L0: L0.at, L1: L1.at, L2: L2.at })})
        on conflict (stamp) do update set place = 'kept', box = excluded.box, trashed_at = null, purged_at = null`;
    },

    async find(stamp: string): Promise<StoredPoint | null> {
      const [row] = await sql<Row[]>`select ${columns} from recovery_points where stamp = ${stamp}`;
      return row === undefined ? null : stored(row);
    },

    /** Newest first, by their stamps: these stay in order also when the clock was set back. `before`: the stamp of the last one of the page before. */
    async list(page: {
      places?: readonly PointPlace[];
      box?: string | undefined;
      before?: string | undefined;
      limit: number;
    }): Promise<StoredPoint[]> {
      const { places = ['kept'], box, before, limit } = page;
      const rows = await sql<Row[]>`
        select ${columns} from recovery_points
        where place = any(${[...places]}) ${box === undefined ? sql`` : sql`and box = ${box}`}
        ${before === undefined ? sql`` : sql`and stamp < ${before}`}
        order by stamp desc limit ${limit}`;
      return rows.map(stored);
    },

    /** Wherever it lies, also when it is gone. */
    async newestStamp(): Promise<string | null> {
      const [row] = await sql<{ stamp: string | null }[]>`select max(stamp) as stamp from recovery_points`;
      return row?.stamp ?? null;
    },

    /** What a later look has found. One that passed the level that it failed at is good again. */
    async judge(stamp: string, { level, ok, at, reason, backup_id }: PointJudgement): Promise<void> {
      if (ok) {
        await sql`
          update recovery_points set proved = proved || ${sql.json({ [level]: at.toISOString() })},
            standing = case when damage ->> 'level' <= ${level} then 'good' else standing end,
            damage = case when damage ->> 'level' <= ${level} then null else damage end
          where stamp = ${stamp}`;
        return;
      }
      const damage = { level, at: at.toISOString(), reason, backup_id };
      // What was found deeper before is mended only by passing there.
      await sql`
        update recovery_points set standing = 'damaged',
          damage = ${sql.json(damage)} || jsonb_build_object('level', greatest(damage ->> 'level', ${level}))
        where stamp = ${stamp}`;
    },

    /** The first reason stays, and with it who gave it. */
    async pin(stamp: string, reason: string, actor: string): Promise<void> {
      await sql`
        update recovery_points set pin_reason = ${reason}, pinned_by = ${actor}, pinned_at = now()
        where stamp = ${stamp} and pin_reason is null`;
    },

    /** `reason`: only a pin for that one. */
    async unpin(stamp: string, reason: string | null = null): Promise<void> {
      await sql`
        update recovery_points set pin_reason = null, pinned_by = null, pinned_at = null
        where stamp = ${stamp} and pin_reason = coalesce(${reason}, pin_reason)`;
    },

    /** On this box; a row that says that the point lies on another one says nothing of it. */
    async moved(stamp: string, place: PointPlace, box: string): Promise<void> {
      await sql`
        update recovery_points set place = ${place},
          trashed_at = case when ${place} = 'trash' then coalesce(trashed_at, now()) end,
          purged_at = case when ${place} = 'purged' then coalesce(purged_at, now()) end
        where stamp = ${stamp} and box = ${box}`;
    },

    /** The newest one, of all boxes or of one, that passed L2 and has not been found damaged since: what a restore would take. */
    async newestProven(box?: string): Promise<StoredPoint | null> {
      const [row] = await sql<Row[]>`
        select ${columns} from recovery_points
        where place = 'kept' and standing = 'good' and proved ? 'L2' ${box === undefined ? sql`` : sql`and box = ${box}`}
        order by stamp desc limit 1`;
      return row === undefined ? null : stored(row);
    },
  };
}

type Row = Omit<StoredPoint, 'stored_bytes'> & { readonly stored_bytes: string };

function stored({ stored_bytes, ...row }: Row): StoredPoint {
  return { ...row, stored_bytes: Number(stored_bytes) };
}
