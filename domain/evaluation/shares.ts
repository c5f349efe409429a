import { ownDocuments } from '../project/names.ts';
import type { EvaluationBounds } from '../project/policy.ts';

/** Of one question: what its best hits are of. */
export interface Share {
  readonly project: string;
  readonly trusted: boolean;
}

/** Row C9. What takes the places of an answer; null: with these projects there is nothing to be said. */
export interface Shares {
  /** Of the best hits, how many are trusted views. */
  readonly trusted_share: number | null;
  /** With others asked as well: how many are of the project that is measured. */
  readonly own_share: number | null;
  /** With Holdfast's own documents asked as well: how many are of them. */
  readonly meta_share: number | null;
  /** How evenly the projects share the best hits of a question: 0 all of one, 1 all alike; the mean. */
  readonly ambiguity: number | null;
}

export interface Bound {
  readonly name: keyof EvaluationBounds;
  readonly bound: number;
  readonly value: number;
  readonly ok: boolean;
}

/** So many of the best hits of a question count. */
export const sharedPlaces = 10;

/** `answers`: of each question its hits, best first. `named`: what was asked, the measured one first. */
export function sharesOf(answers: readonly (readonly Share[])[], named: readonly string[]): Shares {
  const best = answers.map((hits) => hits.slice(0, sharedPlaces));
  const all = best.flat();
  const [own, ...others] = named;
  const part = (of: (hit: Share) => boolean) => (all.length === 0 ? null : all.filter(of).length / all.length);
  return {
    trusted_share: part(({ trusted }) => trusted),
    own_share: others.length === 0 ? null : part(({ project }) => project === own),
    meta_share: others.includes(ownDocuments) ? part(({ project }) => project === ownDocuments) : null,
    ambiguity: others.length === 0 || all.length === 0 ? null : ambiguityOf(best, named.length),
  };
}

/** The entropy of the projects among the hits, over what it could be at the most. */
function ambiguityOf(best: readonly (readonly Share[])[], projects: number): number {
  const answered = best.filter((hits) => hits.length > 0);
  const each = answered.map((hits) => {
    const counts = new Map<string, number>();
    for (const { project } of hits) counts.set(project, (counts.get(project) ?? 0) + 1);
    const parts = [...counts.values()].map((count) => count / hits.length);
    return parts.reduce((sum, part) => sum - part * Math.log(part), 0) / Math.log(projects);
  });
  return Math.max(0, each.reduce((sum, one) => sum + one, 0) / each.length);
}

/** Those that the project's policy sets, where there is a figure to hold against them. */
export function judgeBounds(bounds: EvaluationBounds, shares: Shares): Bound[] {
  const least = (name: keyof EvaluationBounds, value: number | null) => held(name, value, (at, bound) => at >= bound);
  const most = (name: keyof EvaluationBounds, value: number | null) => held(name, value, (at, bound) => at <= bound);
  function held(name: keyof EvaluationBounds, value: number | null, holds: (value: number, bound: number) => boolean) {
    const bound = bounds[name];
    return bound === null || value === null ? [] : [{ name, bound, value, ok: holds(value, bound) }];
  }
  return [
    ...most('max_ambiguity', shares.ambiguity),
    ...most('max_meta_share', shares.meta_share),
    ...least('min_own_share', shares.own_share),
    ...least('min_trusted_share', shares.trusted_share),
    ...most('max_trusted_share', shares.trusted_share),
  ];
}
