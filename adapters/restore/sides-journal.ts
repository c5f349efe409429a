/** Both sides of a restore, as they are found again after a crash: databases by what no renaming changes. */
export interface SidesJournal {
  /** pg_database.oid of what was live before. */
  readonly old_oid: number;
  /** null: not whole yet. */
  readonly restored_oid: number | null;
  /** Where each collection of the point was restored, and why not from its snapshot. */
  readonly collections: readonly RestoredAs[];
  /** Of the old side, by its own generations; null before it is ready to be swapped. */
  readonly old_collections: readonly string[] | null;
  readonly old_projects: readonly string[];
}

export interface RestoredAs {
  /** In the manifest. */
  readonly name: string;
  readonly as: string;
  readonly why: string | null;
}
