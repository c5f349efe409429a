import type { SourceSpec } from '../../domain/project/source.ts';
import { demandRoom } from '../../domain/source/room.ts';
import { createAllowedRoots } from '../files/allowed-roots.ts';
import type { Sql } from '../postgres/connect.ts';
import { createSourcePlaces } from '../postgres/source-places.ts';
import { createStagedItems } from '../postgres/staged-items.ts';
import { createUploadStore } from '../postgres/uploads.ts';
import type { Environment } from '../process/inherited-env.ts';
import { collectContents } from '../staging/collect.ts';
import { createContentStore } from '../staging/content-store.ts';
import { listSource, type Listing, type Work } from './list-source.ts';
import { openSource } from './open-source.ts';
import { stageItems, type Staged } from './stage-items.ts';

export type { Listing, Staged };

export interface SourcesDeps {
  /** The data database. */
  readonly sql: Sql;
  /** The data folder of this box, and its name. */
  readonly home: string;
  readonly box: string;
  /** Where folders and local repositories may be read from. */
  readonly roots: readonly string[];
  readonly env: Environment;
  /** Bytes that may still be written where a path is. */
  readonly freeBytes: (path: string) => Promise<number>;
}

export type Sources = ReturnType<typeof createSources>;

/** Row W2: from source truth to staged inputs, on the box that a project's sources are on. */
export function createSources({ sql, home, box, roots, env, freeBytes }: SourcesDeps) {
  const [places, staged, uploads] = [createSourcePlaces(sql), createStagedItems(sql), createUploadStore(sql)];
  const contents = createContentStore(home);
  const opening = { home, box, env, uploads, contents, allowed: createAllowedRoots(roots) };
  const demandRoomFor = async (bytes: number) => demandRoom('Staging', bytes, await freeBytes(home));
  const stagedBytes = (project: string, source: string) => staged.bytesOf(project, source, box);

  return {
    contents,

    /** Looks at all of a source and records what it holds. Whatever fails leaves the last listing as it was. */
    async list(
      { project, spec }: { readonly project: string; readonly spec: SourceSpec },
      work: Work,
    ): Promise<Listing> {
      const beat = () => work.heartbeat({ items: 0, bytes: 0 });
      const reader = await openSource(opening, project, spec, { signal: work.signal, heartbeat: beat, anew: true });
      try {
        return await listSource({ places, contents, demandRoomFor, stagedBytes }, { project, spec, reader }, work);
      } finally {
        await reader.close();
      }
    },

    /** Copies what a wave needs of one source into the content store. Goes on where an earlier attempt ended. */
    async stage(
      { wave_id, project, spec }: { readonly wave_id: string; readonly project: string; readonly spec: SourceSpec },
      work: Work,
    ): Promise<Staged> {
      // A source that this wave needs nothing of need not be there.
      if (!(await staged.anyWanted(wave_id, spec.name))) {
        await staged.forgetGone(project, spec.name);
        return { staged: 0, bytes: 0, copied: 0, changed: 0, missing: 0 };
      }
      const beat = () => work.heartbeat({ items: 0, bytes: 0 });
      const reader = await openSource(opening, project, spec, { signal: work.signal, heartbeat: beat, anew: false });
      try {
        return await stageItems({ staged, contents, demandRoomFor }, { wave_id, project, box, spec, reader }, work);
      } finally {
        await reader.close();
      }
    },

    /** Deletes staged content that no row names any more. */
    collect: (work: { readonly signal: AbortSignal; readonly heartbeat: () => void }) =>
      collectContents({ contents, named: (sha256s) => staged.named(sha256s), now: () => new Date() }, work),
  };
}
