import type { Finding } from '../../domain/backup/finding.ts';
import { markerOf, markerText } from '../../domain/drill/run.ts';
import { createMemories } from '../memories/memories.ts';
import { memoryCollection } from '../memories/collection.ts';
import type { MemoryDeps } from '../memories/points.ts';
import { createMemoryReconciliation } from '../memories/reconcile.ts';
import { createMemorySearch } from '../memories/search.ts';

/** A live drill's marker: written after the backup, as a memory like any other. Throws when it is not found then: nothing could be seen to go. */
export async function writeMarker(deps: MemoryDeps, drillId: string): Promise<void> {
  const id = markerOf(drillId);
  const created = await createMemories(deps).create(
    {
      ...{ id, type: 'episodic', project: null, text: markerText(drillId), confidence: 1 },
      ...{ provenance: { kind: 'drill', reference: drillId }, supersedes: null, expires_at: null },
    },
    'holdfast',
  );
  if (!created.ok) throw new Error(`The marker cannot be written: ${created.reason}`);
  await createMemoryReconciliation(deps).all(new AbortController().signal);
  const [row, point, found] = await whereIsMarker(deps, drillId, id);
  if (!row || !point || !found) throw new Error(`The marker is not found: row ${row}, point ${point}, search ${found}`);
}

/** After the restore: gone in both stores, and from the answers. */
export async function markerIsGone(deps: MemoryDeps, drillId: string, id: string): Promise<Finding[]> {
  const [row, point, found] = await whereIsMarker(deps, drillId, id);
  const gone = (check: string, there: boolean): Finding => ({
    ...{ level: 'L3', check, ok: !there, detail: { marker: id } },
    reason: there ? 'the marker is still there' : 'the marker is gone',
  });
  return [gone('marker.row', row), gone('marker.point', point), gone('marker.search', found)];
}

/** One that outlived a drill is nobody's memory. */
export async function forgetMarker(deps: MemoryDeps, id: string): Promise<void> {
  await createMemories(deps).forget(id, { actor: 'holdfast', reason: 'the marker of a drill' });
}

async function whereIsMarker(deps: MemoryDeps, drillId: string, id: string): Promise<[boolean, boolean, boolean]> {
  const { data, qdrant } = deps;
  const row = (await createMemories(deps).find(id)) !== null;
  const collection = await memoryCollection(data);
  const there = collection !== null && (await qdrant.collectionExists(collection.name)).exists;
  const points = there ? await qdrant.retrieve(collection.name, { ids: [id] }) : [];
  const { hits } = await createMemorySearch(deps)({
    ...{ query: markerText(drillId), projects: [], ofNone: true, types: ['episodic'], limit: 100 },
  });
  return [row, points.length > 0, hits.some((hit) => hit.id === id)];
}
