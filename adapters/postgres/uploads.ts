import type { Sql } from './connect.ts';
import { note } from './outbox.ts';

export interface StoredUpload {
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly box: string;
  readonly actor: string;
  readonly uploaded_at: Date;
}

/** Whose upload it is, and which box has its bytes. */
interface Uploading {
  readonly project: string;
  readonly source: string;
  readonly box: string;
  readonly actor: string;
}

interface UploadLimits {
  readonly max_files: number;
  readonly max_bytes: number;
}

export type UploadStore = ReturnType<typeof createUploadStore>;

/** The truth of sources of kind upload: rows of the data database; their bytes are in the content store of a box. */
export function createUploadStore(sql: Sql) {
  return {
    /** All of them, each in place of what had its path, or none. False: the source would hold more than it may. */
    put: (
      { project, source, box, actor }: Uploading,
      files: readonly { readonly path: string; readonly sha256: string; readonly bytes: number }[],
      limits: UploadLimits,
    ): Promise<boolean> =>
      sql
        .begin(async (tx) => {
          // One at a time, or two uploads together could pass a limit that each of them keeps.
          await tx`select pg_advisory_xact_lock(hashtextextended(${`upload ${project}/${source}`}, 0))`;
          await tx`
            insert into uploads (project, source, path, sha256, bytes, box, actor)
            select ${project}, ${source}, path, decode(sha256, 'hex'), bytes, ${box}, ${actor}
            from jsonb_to_recordset(${tx.json(files)})
              as file (path text, sha256 text, bytes bigint)
            on conflict (project, source, path) do update set sha256 = excluded.sha256, bytes = excluded.bytes,
              box = excluded.box, actor = excluded.actor, uploaded_at = now()`;
          const [total] = await tx<{ files: number; bytes: number }[]>`
            select count(*)::float8 as files, coalesce(sum(bytes), 0)::float8 as bytes from uploads
            where project = ${project} and source = ${source}`;
          if ((total?.files ?? 0) > limits.max_files || (total?.bytes ?? 0) > limits.max_bytes) throw new OverLimit();
          const data = { source, files: files.length };
          await note(tx, { type: 'source.uploaded', subject: `project/${project}`, actor, data });
          return true;
        })
        .catch((error: unknown) => {
          if (error instanceof OverLimit) return false;
          throw error;
        }),

    /** False: there is no such file. */
    remove: (project: string, source: string, path: string, actor: string): Promise<boolean> =>
      sql.begin(async (tx) => {
        const rows = await tx`
          delete from uploads where project = ${project} and source = ${source} and path = ${path} returning 1`;
        if (rows.length === 0) return false;
        const data = { source, path };
        await note(tx, { type: 'source.file_removed', subject: `project/${project}`, actor, data });
        return true;
      }),

    /** By path. */
    list: (
      project: string,
      source: string,
      { after = '', limit }: { after?: string; limit: number },
    ): Promise<StoredUpload[]> =>
      sql<StoredUpload[]>`
        select path, encode(sha256, 'hex') as sha256, bytes::float8 as bytes, box, actor, uploaded_at from uploads
        where project = ${project} and source = ${source} and path > ${after} order by path limit ${limit}`,
  };
}

class OverLimit extends Error {}
