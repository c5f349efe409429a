import type { SourceSpec } from '../../domain/project/source.ts';
import { createSkipList } from '../../domain/source/item.ts';
import type { LostItem, StagedItem, StagedItems, WantedItem } from '../postgres/staged-items.ts';
import type { ContentStore } from '../staging/content-store.ts';
import { eachInParallel } from './each-in-parallel.ts';
import type { Work } from './list-source.ts';
import type { SourceReader } from './reader.ts';

export interface StagingDeps {
  readonly staged: StagedItems;
  readonly contents: ContentStore;
  /** Throws NoRoom unless the disk of the content store takes so many bytes more. */
  readonly demandRoomFor: (bytes: number) => Promise<void>;
}

interface StagingAt {
  readonly wave_id: string;
  readonly project: string;
  readonly box: string;
  readonly spec: SourceSpec;
  readonly reader: SourceReader;
}

/** What became of the items of a wave. */
export interface Staged {
  /** In the content store now, and their bytes. */
  readonly staged: number;
  readonly bytes: number;
  /** Read from the source; the content of the others was there. */
  readonly copied: number;
  /** Not the bytes that were listed. */
  readonly changed: number;
  /** Gone since they were listed; the wave has them as failed. */
  readonly missing: number;
}

const batchSize = 200;

/**
 * Row W2, the second place: copies what a wave needs and the content store does not have. Each batch is a transaction, so an
 * attempt that is repeated copies only what was not recorded. What a file holds is what was copied of it, whatever its
 * listing said.
 */
export async function stageItems(deps: StagingDeps, at: StagingAt, { signal, heartbeat }: Work): Promise<Staged> {
  const { staged } = deps;
  const place = { wave_id: at.wave_id, project: at.project, source: at.spec.name, box: at.box };
  if (at.reader.kept === 'when_staged') await deps.demandRoomFor(await staged.missingBytes(place));
  const total = { staged: 0, bytes: 0, copied: 0, changed: 0, missing: 0 };
  const stageOne = createStageOne(deps, at, signal);

  for (let after = -1; ;) {
    const batch = await staged.wanted(place, after, batchSize);
    const last = batch.at(-1);
    if (last === undefined) break;
    after = last.seq;
    const [kept, lost]: [StagedItem[], LostItem[]] = [[], []];
    await deps.contents.page((put) =>
      eachInParallel(at.reader.parallel, batch, async (item) => {
        signal.throwIfAborted();
        const { held, copied } = await stageOne(item, put);
        if (copied) total.copied += 1;
        if ('reason' in held) lost.push(held);
        else kept.push(held);
        heartbeat({ items: total.staged + kept.length, bytes: total.bytes });
      }),
    );
    await staged.record(place, kept, lost);
    total.staged += kept.length;
    total.bytes += kept.reduce((sum, { bytes }) => sum + bytes, 0);
    total.changed += kept.filter(({ instead }) => instead !== null).length;
    total.missing += lost.length;
  }
  await staged.forgetGone(at.project, at.spec.name);
  return total;
}

function createStageOne({ contents }: StagingDeps, { spec, reader }: StagingAt, signal: AbortSignal) {
  const skips = createSkipList();
  return async (
    item: WantedItem,
    put: ContentStore['put'],
  ): Promise<{ held: StagedItem | LostItem; copied: boolean }> => {
    const { seq, path, sha256, bytes } = item;
    if (await contents.has(sha256)) return { held: { seq, path, sha256, bytes, instead: null }, copied: false };
    const opened = await reader.open(item, null, { skips, signal });
    if (opened === null || opened === 'unchanged') return { held: { seq, reason: 'source_gone' }, copied: false };
    const stored = await put(opened.content, spec.limits.max_file_bytes);
    if (stored === null) return { held: { seq, reason: 'too_large' }, copied: false };
    const facts = await opened.read();
    return { held: { seq, path, ...stored, instead: stored.sha256 === sha256 ? null : facts }, copied: true };
  };
}
