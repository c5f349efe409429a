import type { Readable } from 'node:stream';
import type { Member } from '../../domain/backup/manifest.ts';
import type { QdrantServer } from '../qdrant/connect.ts';

/** The servers that a recovery point is taken of, and restored into. */
export interface BackupServers {
  /** Any database of the server, as the role that the application has. */
  readonly postgresUrl: string;
  /** Of the data; `<database>_ops` is that of the operations. */
  readonly database: string;
  readonly qdrant: QdrantServer;
  /** Folders of installed PostgreSQL programs, the best one first. */
  readonly postgresBins: readonly string[];
}

/** What is to be sealed: its name without the endings that compression and encryption give it. */
export interface PlainMember {
  readonly name: string;
  readonly kind: Member['kind'];
  readonly compression: Member['compression'];
}

/** Writes members into the folder of a point that is being made. */
export interface MemberWriter {
  seal(member: PlainMember, plain: Readable, signal: AbortSignal): Promise<Member>;
  /** What was sealed and is not wanted after all. */
  remove(member: Member): Promise<void>;
}

/** Reads members of a point. */
export interface MemberReader {
  /** The plain bytes. Ends with an error when they are not those that the manifest names. */
  open(member: Member, signal: AbortSignal): Readable;
}

/** How far a step is. Told often; `total_bytes` null: not known before its end. */
export interface Progress {
  readonly step: string;
  readonly done_bytes: number;
  readonly total_bytes: number | null;
}

/** How a long step is watched, and ended from outside. */
export interface Watched {
  readonly signal: AbortSignal;
  readonly beat: (progress: Progress) => void;
}
