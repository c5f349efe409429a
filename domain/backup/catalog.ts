export type CatalogPlace = 'kept' | 'trash' | 'purged' | 'missing';

export interface CatalogRow {
  readonly stamp: string;
  readonly place: CatalogPlace;
}

export interface CatalogDifference {
  /** On the disk, and the rows do not say so. */
  readonly record: readonly string[];
  /** Kept by the rows, and not on the disk. */
  readonly missing: readonly string[];
  /** Why nothing may be taken away by what was listed; null: it may. */
  readonly suspect: string | null;
}

/** Row B4. `there`: the stamps on the disk. The disk is right, unless it is so empty that it may be another one. */
export function catalogDifference(there: readonly string[], rows: readonly CatalogRow[]): CatalogDifference {
  const onDisk = new Set(there);
  const kept = rows.filter(({ place }) => place === 'kept').map(({ stamp }) => stamp);
  const known = new Set(kept);
  const record = there.filter((stamp) => !known.has(stamp));
  const gone = kept.filter((stamp) => !onDisk.has(stamp));
  // A disk that is not mounted has no points either: that is nothing to mark them all by.
  if (gone.length > 0 && there.length === 0)
    return { record, missing: [], suspect: `none of ${gone.length} recovery points is there: is the disk?` };
  const suspect = gone.length === 0 ? null : `not there any more: ${gone.join(', ')}`;
  return { record, missing: gone, suspect };
}
