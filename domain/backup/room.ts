/** Whether a backup fits, before anything is copied. */
export interface Room {
  readonly ok: boolean;
  readonly reason: string;
  readonly detail: RoomFacts;
}

/** In bytes; null: nobody knows. */
export interface RoomFacts {
  /** Where points are kept. */
  readonly free: number;
  /** Where the Postgres of this box keeps its data; null: it is another machine. */
  readonly postgres_free: number | null;
  readonly databases: number;
  /** Files that are declared, as they are. */
  readonly files: number;
  readonly vectors: number | null;
  /** What the newest point of the same kind took; null: there is none. */
  readonly last_point: number | null;
}

/** Kept free whatever else: a full disk stops Postgres too. */
const leastFree = 256 * 1024 * 1024;

/**
 * The dumps lie uncompressed beside their members for a while, so the plain sizes count. What the last point took says nothing of
 * that; it only ever raises the bound. The scratch of L2 is as large as the databases are, and lies where they do.
 */
export function roomFor(facts: RoomFacts): Room {
  const { free, postgres_free, databases, files, vectors, last_point } = facts;
  const needed = Math.max(databases + files + 2 * (vectors ?? 0), last_point ?? 0) + leastFree;
  if (free < needed) return lacking(facts, 'where points are kept', free, needed);
  const scratch = databases + leastFree;
  if (postgres_free !== null && postgres_free < scratch)
    return lacking(facts, 'where Postgres keeps its data, for the proof,', postgres_free, scratch);
  return { ok: true, reason: `${megabytes(needed)} may be needed, ${megabytes(free)} are free`, detail: facts };
}

function lacking(detail: RoomFacts, where: string, free: number, needed: number): Room {
  const reason = `${megabytes(needed)} may be needed ${where} and ${megabytes(free)} are free`;
  return { ok: false, reason, detail };
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1_000_000)} MB`;
}
