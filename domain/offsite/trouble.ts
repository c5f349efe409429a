/**
 * Why a target did not do what it was asked. away: it does not answer, and may be asleep. full: it has no room. refused: keys, a
 * host key, or a place that is not ours: a person has to look. differs: it has something else under that name. gone: it has no
 * such point.
 */
export const troubleKinds = ['away', 'full', 'refused', 'differs', 'gone'] as const;
export type TroubleKind = (typeof troubleKinds)[number];

export class OffsiteTrouble extends Error {
  override readonly name = 'OffsiteTrouble';

  constructor(
    readonly kind: TroubleKind,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
