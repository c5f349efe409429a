import fc from 'fast-check';

/** A proof has two sizes: small in CI, and what an issue names in `npm run proof`. Same code, one parameter. */
export const fullSize = process.env['HOLDFAST_PROOF_SIZE'] === 'full';

/** What the random choices of this run come from. Printed, so that a failure can be had again. */
export const seed = Number(process.env['HOLDFAST_PROOF_SEED'] ?? Date.now() % 1_000_000);

const steps = 2 ** 31;

/** Numbers in [0, 1), each as likely as any other, that the seed decides. fast-check's own doubles are nearly all 0 or 1. */
export function createRandom(): () => number {
  const numbers = fc.sample(fc.noBias(fc.nat({ max: steps - 1 })), { numRuns: 10_000, seed });
  let next = 0;
  return () => (numbers[next++ % numbers.length] ?? 0) / steps;
}
