import type { StoredPoint } from '../../adapters/postgres/recovery-points.ts';
import type { RecoveryPoint, RecoveryPointDetail } from '../../domain/backup/point-schemas.ts';

/** A row of the catalog, as the API shows it. */
export function showPoint(point: StoredPoint): RecoveryPoint {
  const { manifest, taken_at, pin_reason, pinned_by, pinned_at } = point;
  const { stamp, place, standing, damage, proved, stored_bytes } = point;
  return {
    ...{ stamp, place, standing, damage, proved, stored_bytes },
    ...{ box: manifest.box, finished_at: manifest.finished_at, versions: manifest.versions },
    taken_at: taken_at.toISOString(),
    pin: pin_reason === null ? null : { reason: pin_reason, actor: pinned_by, at: pinned_at?.toISOString() ?? null },
    include_vectors: manifest.include_vectors,
    encrypted: manifest.encryption !== null,
    members: manifest.members.length,
    plain_bytes: sum(manifest.members.map(({ plain }) => plain.bytes)),
  };
}

export function showPointDetail(point: StoredPoint): RecoveryPointDetail {
  const { incarnation, migrations, generations, members, databases, collections, file_sets } = point.manifest;
  return {
    ...showPoint(point),
    ...{ incarnation, migrations, generations },
    contents: members.map(({ name, kind, plain, stored }) => ({
      ...{ member: name, kind, plain_bytes: plain.bytes, stored_bytes: stored.bytes, sha256: stored.sha256 },
    })),
    databases: databases.map(({ role, tables }) => ({
      ...{ role, tables: Object.keys(tables).length, rows: sum(Object.values(tables).map(({ rows }) => rows)) },
    })),
    collections: collections.map(({ name, member, why, points, queries }) => ({
      ...{ name, member, why, points, queries: queries.length },
    })),
    file_sets: file_sets.map(({ name, service, root, files, bytes, bind_mount }) => ({
      ...{ name, service, root, files, bytes, bind_mount },
    })),
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
