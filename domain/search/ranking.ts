import { arms, placeValue, type Fusion } from './settings.ts';

/** What decides the place of a hit. */
export interface Ranked {
  readonly chunk: string;
  readonly project: string;
  /** Of what was embedded: equal for chunks of equal heading and text. */
  readonly content: string;
  /** What its vectors are comparable with. */
  readonly identity: string;
  readonly scores: { readonly dense: number | null; readonly lexical: number | null; readonly fused: number };
  readonly standing: Standing;
}

/** Row W5: the current one of a trusted view is above raw notes; what it took the place of is behind everything. */
export type Standing = 'current' | 'raw' | 'stale';

/** The best `limit`, in their order: the same for the same hits, in whatever order they come. */
export function rank<T extends Ranked>(
  hits: readonly T[],
  { limit, ...fusion }: Fusion & { readonly limit: number },
): T[] {
  const several = new Set(hits.map(({ project }) => project)).size > 1;
  const fused = evenTwins(several ? fuseProjects(hits, fusion) : hits);
  const answered = fused.toSorted(byScore).slice(0, limit);
  // By merit first: a view that has little to do with the question is not lifted, however much was asked for.
  const lifted = answered.slice(0, liftedFrom).filter(({ standing }) => standing === 'current');
  const stale = answered.filter(({ standing }) => standing === 'stale');
  return [...lifted, ...answered.filter((hit) => !lifted.includes(hit) && !stale.includes(hit)), ...stale];
}

/** Current views among so many best are put above raw notes. It does not follow the limit: more hits are the same ones and more. */
const liftedFrom = 10;

function byScore(a: Ranked, b: Ranked): number {
  return (
    b.scores.fused - a.scores.fused ||
    (b.scores.dense ?? 0) - (a.scores.dense ?? 0) ||
    (b.scores.lexical ?? 0) - (a.scores.lexical ?? 0) ||
    (a.chunk < b.chunk ? -1 : 1)
  );
}

/**
 * Chunks of equal content tie in both arms, and which of them Qdrant ranks first is chance, per request: they share what
 * their places are worth together.
 */
function evenTwins<T extends Ranked>(hits: readonly T[]): T[] {
  const groups = new Map<string, T[]>();
  for (const hit of hits) {
    const key = `${hit.project} ${hit.content}`;
    groups.set(key, [...(groups.get(key) ?? []), hit]);
  }
  const even = (twins: readonly T[]) => {
    const total = twins.map(({ scores }) => scores.fused).sort((a, b) => a - b);
    return Math.fround(total.reduce((sum, each) => sum + each, 0) / twins.length);
  };
  return [...groups.values()].flatMap((twins) => (twins.length === 1 ? twins : withFused(twins, () => even(twins))));
}

/** A first place says nothing across projects: their candidates are fused once more, by scores that can be compared. */
function fuseProjects<T extends Ranked>(hits: readonly T[], fusion: Fusion): T[] {
  // Vectors of different models cannot be compared: there words and the places within each project have to do.
  const comparable = new Set(hits.map(({ identity }) => identity)).size === 1;
  const ranks = {
    dense: ranksBy(hits, (hit) => (comparable ? hit.scores.dense : hit.scores.fused)),
    lexical: ranksBy(hits, (hit) => hit.scores.lexical),
  };
  return withFused(hits, ({ chunk }) =>
    arms.reduce((total, arm) => {
      const place = ranks[arm].get(chunk);
      return place === undefined ? total : total + placeValue(place, arm, fusion);
    }, 0),
  );
}

/** Places from 0, equal scores in equal places. Without a score, or with one of 0, it has no place. */
function ranksBy<T extends Ranked>(hits: readonly T[], score: (hit: T) => number | null): ReadonlyMap<string, number> {
  const scored = hits.flatMap((hit) => {
    const value = score(hit);
    return value === null || value <= 0 ? [] : [{ chunk: hit.chunk, value }];
  });
  scored.sort((a, b) => b.value - a.value);
  const places = new Map<string, number>();
  let place = 0;
  scored.forEach(({ chunk, value }, index) => {
    if (value !== scored[index - 1]?.value) place = index;
    places.set(chunk, place);
  });
  return places;
}

function withFused<T extends Ranked>(hits: readonly T[], fused: (hit: T) => number): T[] {
  return hits.map((hit) => ({ ...hit, scores: { ...hit.scores, fused: fused(hit) } }));
}
