import type { QdrantClient } from '@qdrant/js-client-rest';

/** What a point is after a write of ours: null when it is not there. `mark` is set by set_payload alone. */
type State = { readonly version: number; readonly mark: number } | null;

export const dimension = 32;
const idsPerWriter = 60;
const batch = 12;

/** Writers of points of their own, who know of each what was acknowledged and what may have been done besides. */
export function createWriters(client: () => QdrantClient, collection: string, count: number, random: () => number) {
  const possible = new Map<number, State[]>();
  const figures = { acknowledged: 0, unanswered: 0 };
  let version = 0;

  /** One request that waits. Answered: so it is. Not answered: so it is, or as it was. */
  async function write(changes: ReadonlyMap<number, State>, send: () => Promise<unknown>): Promise<boolean> {
    const before = new Map([...changes.keys()].map((id) => [id, possible.get(id) ?? [null]]));
    for (const [id, state] of changes) possible.set(id, [...(before.get(id) ?? []), state]);
    try {
      await send();
    } catch {
      figures.unanswered += 1;
      return false;
    }
    for (const [id, state] of changes) possible.set(id, [state]);
    figures.acknowledged += 1;
    return true;
  }

  function step(writer: number): Promise<boolean> {
    const first = 1 + writer * idsPerWriter + Math.floor(random() * (idsPerWriter - batch));
    const ids = Array.from({ length: batch }, (_, i) => first + i);
    const kind = random();
    const next = (version += 1);
    if (kind < 0.15) {
      const gone = new Map(ids.map((id): [number, State] => [id, null]));
      return write(gone, () => client().delete(collection, { points: ids, wait: true }));
    }
    const known = ids.filter((id) => certain(id) !== null);
    if (kind < 0.35 && known.length > 0) {
      const marked = new Map(known.map((id): [number, State] => [id, { ...mustBe(certain(id)), mark: next }]));
      const payload = { mark: next };
      return write(marked, () => client().setPayload(collection, { points: known, payload, wait: true }));
    }
    const points = ids.map((id) => ({ id, payload: { version: next, mark: 0 }, vector: vectorsOf(id, next) }));
    const put = new Map(ids.map((id): [number, State] => [id, { version: next, mark: 0 }]));
    return write(put, () => client().upsert(collection, { points, wait: true }));
  }

  /** What is there, when nothing else can be; undefined: not known for certain. */
  function certain(id: number): State {
    const states = possible.get(id) ?? [null];
    return states.length === 1 ? (states[0] ?? null) : null;
  }

  return {
    figures,
    /** All of them, each until its first request that is not answered. */
    async untilItDies(): Promise<void> {
      const work = async (writer: number): Promise<void> => {
        while (await step(writer));
      };
      await Promise.all(Array.from({ length: count }, (_, writer) => work(writer)));
    },
    /** Points that are not as they must be. Afterwards what was found is what is known. */
    async compare(): Promise<string[]> {
      const ids = [...possible.keys()];
      const found = new Map<number, Awaited<ReturnType<QdrantClient['retrieve']>>[number]>();
      const options = { ids, with_payload: true, with_vector: true };
      for (const point of await client().retrieve(collection, options)) found.set(Number(point.id), point);
      const wrong: string[] = [];
      for (const [id, states] of possible) {
        const point = found.get(id);
        const state = point === undefined ? null : (point.payload as { version: number; mark: number });
        if (!states.some((one) => same(one, state)))
          wrong.push(`${id}: is ${JSON.stringify(state)}, must be one of ${JSON.stringify(states)}`);
        else if (state !== null && !sameVectors(point?.vector, vectorsOf(id, state.version)))
          wrong.push(`${id}: the vectors are not those of its version ${state.version}`);
        possible.set(id, [state]);
      }
      const { count: there } = await client().count(collection, { exact: true });
      if (there !== found.size) wrong.push(`${there} points are counted, ${found.size} were found by their ids`);
      return wrong;
    },
  };
}

function mustBe(state: State): NonNullable<State> {
  if (state === null) throw new Error('a point that is known to be there is not');
  return state;
}

function same(a: State, b: State): boolean {
  return a === null || b === null ? a === b : a.version === b.version && a.mark === b.mark;
}

interface Vectors {
  readonly [name: string]: number[] | { indices: number[]; values: number[] };
  readonly dense: number[];
  readonly sparse: { indices: number[]; values: number[] };
}

/** Of this id at this version, and no other. */
function vectorsOf(id: number, version: number): Vectors {
  const dense = Array.from({ length: dimension }, (_, i) => Math.fround(Math.sin(id * 31 + version * 7 + i)));
  return { dense, sparse: { indices: [id % 50, 50 + (version % 50)], values: [Math.fround(version), 1] } };
}

function sameVectors(found: unknown, wanted: Vectors): boolean {
  const { dense, sparse } = found as Vectors;
  const close = (a: readonly number[], b: readonly number[]): boolean =>
    a.length === b.length && a.every((value, i) => Math.abs(value - (b[i] ?? Number.NaN)) < 1e-6 * Math.max(1, value));
  return close(dense, wanted.dense) && close(sparse.values, wanted.sparse.values);
}
