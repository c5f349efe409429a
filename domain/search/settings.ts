/** The two ways in which candidates are found. */
export const arms = ['dense', 'lexical'] as const;
export type Arm = (typeof arms)[number];

/** Of reciprocal rank fusion, as Qdrant counts it. */
export interface Fusion {
  readonly k: number;
  /** Of each arm: a place in a heavier one is worth more. */
  readonly weights: Readonly<Record<Arm, number>>;
}

/** How candidates are found and fused; chosen on the odd-numbered Cranfield questions (docs/reference/evaluation.md). */
export interface SearchSettings extends Fusion {
  /** How many candidates each arm gives. */
  readonly depth: number;
  /** Up to so many chunks of a project its vectors are compared one by one, so that the answer is always the same. */
  readonly exact_up_to: number;
}

export const defaultSettings: SearchSettings = {
  k: 40,
  weights: { dense: 1, lexical: 1.5 },
  depth: 100,
  exact_up_to: 200_000,
};

/** What a place in an arm is worth, the first one being 0. */
export function placeValue(place: number, arm: Arm, { k, weights }: Fusion): number {
  return 1 / ((place + 1) / weights[arm] + k - 1);
}
