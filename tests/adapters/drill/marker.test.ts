import { randomUUID } from 'node:crypto';
import { forgetMarker, markerIsGone, writeMarker } from '../../../adapters/drill/marker.ts';
import { markerOf } from '../../../domain/drill/run.ts';
import { against } from '../../support/backup-ground.ts';
import { wordEmbedder } from '../search/world.ts';
import { createMemoryWorld, type MemoryWorld } from '../memories/memory-world.ts';

let world: MemoryWorld;
beforeAll(async () => (world = await createMemoryWorld()));
afterAll(() => world.close());

const live = () => {
  const { data, ops } = world.databases;
  return { data, ops, qdrant: world.qdrant, embeddings: wordEmbedder() };
};

test('B9 the marker is a memory that is found, once however often it is written; what is still there is three findings', async () => {
  const drill = randomUUID();
  const marker = markerOf(drill);
  await writeMarker(live(), drill);
  await writeMarker(live(), drill);
  expect(await world.memories.find(marker)).toMatchObject({
    type: 'episodic',
    provenance: { kind: 'drill', reference: drill },
  });
  expect(against(await markerIsGone(live(), drill, marker))).toHaveLength(3);

  // As a restore takes it: the row is gone, and the points are made what the rows say.
  await world.databases.data`delete from memories where id = ${marker}`;
  expect(against(await markerIsGone(live(), drill, marker))).toEqual(['L3 marker.point: the marker is still there']);
  await world.reconciliation.all(new AbortController().signal);
  expect(against(await markerIsGone(live(), drill, marker))).toEqual([]);
});

test('B9 a marker that outlives its drill is forgotten', async () => {
  const drill = randomUUID();
  const marker = markerOf(drill);
  await writeMarker(live(), drill);
  await forgetMarker(live(), marker);
  expect(against(await markerIsGone(live(), drill, marker))).toEqual([]);
});
