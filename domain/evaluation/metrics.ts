/** What is relevant to a question, and how much: gain by document; 0 or less is not relevant. */
export type Judgements = ReadonlyMap<string, number>;

/** Of one question, by the ranked documents that answered it; each between 0 and 1. */
export interface Scores {
  readonly ndcg_at_10: number;
  readonly recall_at_10: number;
  readonly recall_at_100: number;
  /** Of one question: 1 / rank of the first relevant one among the first hundred; 0: none. */
  readonly mrr: number;
}

/** `ranked`: best first; of a document that comes more than once the first place counts. */
export function scoresOf(ranked: readonly string[], judgements: Judgements): Scores {
  const places = [...new Set(ranked)];
  return {
    ndcg_at_10: ndcg(places, judgements, 10),
    recall_at_10: recall(places, judgements, 10),
    recall_at_100: recall(places, judgements, 100),
    mrr: reciprocalRank(places.slice(0, 100), judgements),
  };
}

export function meanScores(each: readonly Scores[]): Scores {
  const mean = (name: keyof Scores): number =>
    each.length === 0 ? 0 : each.reduce((sum, scores) => sum + scores[name], 0) / each.length;
  return {
    ndcg_at_10: mean('ndcg_at_10'),
    recall_at_10: mean('recall_at_10'),
    recall_at_100: mean('recall_at_100'),
    mrr: mean('mrr'),
  };
}

/** As trec_eval has it: gain as it was judged, discounted by log2(rank + 1), over the best order there could be. */
function ndcg(ranked: readonly string[], judgements: Judgements, depth: number): number {
  const ideal = [...judgements.values()].filter((gain) => gain > 0).sort((a, b) => b - a);
  const best = discounted(ideal.slice(0, depth));
  if (best === 0) return 0;
  return discounted(ranked.slice(0, depth).map((id) => Math.max(0, judgements.get(id) ?? 0))) / best;
}

function discounted(gains: readonly number[]): number {
  return gains.reduce((sum, gain, index) => sum + gain / Math.log2(index + 2), 0);
}

function recall(ranked: readonly string[], judgements: Judgements, depth: number): number {
  const relevant = [...judgements.values()].filter((gain) => gain > 0).length;
  if (relevant === 0) return 0;
  return ranked.slice(0, depth).filter((id) => isRelevant(judgements, id)).length / relevant;
}

function reciprocalRank(ranked: readonly string[], judgements: Judgements): number {
  const index = ranked.findIndex((id) => isRelevant(judgements, id));
  return index === -1 ? 0 : 1 / (index + 1);
}

function isRelevant(judgements: Judgements, id: string): boolean {
  return (judgements.get(id) ?? 0) > 0;
}
