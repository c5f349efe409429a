import type { QuarantineReason } from '../../domain/document.ts';

/** A document that cannot be read, whoever tries; anything else that is thrown while it is read is `malformed`. */
export class ParseFailure extends Error {
  constructor(
    readonly reason: QuarantineReason,
    detail: string,
  ) {
    super(detail);
    this.name = 'ParseFailure';
  }
}
