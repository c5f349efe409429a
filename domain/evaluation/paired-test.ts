/** Is a difference between two rankers on the same questions more than chance? Two-sided. */
export interface PairedTest {
  readonly questions: number;
  /** Mean of first − second. */
  readonly difference: number;
  /** Of the paired t test; null: all differences are equal, or there are fewer than two. */
  readonly t: number | null;
  readonly t_p: number | null;
  /** Of approximate randomisation: how often signs given by chance make as large a difference. */
  readonly randomised_p: number;
  readonly rounds: number;
  readonly seed: number;
}

export interface Randomisation {
  readonly rounds: number;
  /** 32 bits; the same seed gives the same p. */
  readonly seed: number;
}

/** `first` and `second`: scores of the same questions in the same order. Throws RangeError when their numbers differ. */
export function pairedTest(
  first: readonly number[],
  second: readonly number[],
  { rounds, seed }: Randomisation = { rounds: 10_000, seed: 20_260_101 },
): PairedTest {
  if (first.length !== second.length) throw new RangeError('a paired test needs two scores of each question');
  const differences = first.map((score, index) => score - (second[index] ?? 0));
  const difference = differences.length === 0 ? 0 : sum(differences) / differences.length;
  return {
    questions: differences.length,
    difference,
    ...pairedT(differences, difference),
    randomised_p: randomisedP(differences, { rounds, seed }),
    rounds,
    seed,
  };
}

function pairedT(differences: readonly number[], mean: number): { t: number | null; t_p: number | null } {
  const n = differences.length;
  if (n < 2) return { t: null, t_p: null };
  const variance = sum(differences.map((each) => (each - mean) ** 2)) / (n - 1);
  // What is left of equal differences is rounding, not spread.
  if (variance < 1e-24) return { t: null, t_p: null };
  const t = mean / Math.sqrt(variance / n);
  return { t, t_p: twoSided(t, n - 1) };
}

function randomisedP(differences: readonly number[], { rounds, seed }: Randomisation): number {
  const observed = Math.abs(sum(differences)) - 1e-12;
  const random = generator(seed);
  let asLarge = 0;
  for (let round = 0; round < rounds; round += 1) {
    let total = 0;
    for (const each of differences) total += random() < 0.5 ? each : -each;
    if (Math.abs(total) >= observed) asLarge += 1;
  }
  // The order that was observed is one of those that chance could have given.
  return (asLarge + 1) / (rounds + 1);
}

/** Mulberry32: even over [0, 1), and the same for the same seed everywhere. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Student's t: the chance of a value at least as far from 0, with `degrees` of freedom. */
function twoSided(t: number, degrees: number): number {
  return incompleteBeta(degrees / (degrees + t * t), degrees / 2, 0.5);
}

/** Regularised, by its continued fraction (Lentz); good to about 1e-12. */
function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log(1 - x));
  // The fraction converges fast only on this side of the mean; the other side is its complement.
  return x < (a + 1) / (a + b + 2) ? (front * fraction(x, a, b)) / a : 1 - (front * fraction(1 - x, b, a)) / b;
}

function fraction(x: number, a: number, b: number): number {
  const tiny = 1e-300;
  const away = (value: number): number => (Math.abs(value) < tiny ? tiny : value);
  let c = 1;
  let d = 1 / away(1 - ((a + b) * x) / (a + 1));
  let result = d;
  for (let m = 1; m <= 300; m += 1) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / away(1 + even * d);
    c = away(1 + even / c);
    result *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away(1 + odd * d);
    c = away(1 + odd / c);
    const step = d * c;
    result *= step;
    if (Math.abs(step - 1) < 1e-14) break;
  }
  return result;
}

/** Lanczos' approximation, g = 7. */
function logGamma(x: number): number {
  const terms = [
    676.5203681218851, -1259.1392167224028, 771.3234287776531, -176.6150291621406, 12.507343278686905,
    -0.13857109526572012, 9.984369578019572e-6, 1.5056327351493116e-7,
  ];
  const shifted = x - 1;
  const series = terms.reduce((total, term, index) => total + term / (shifted + index + 1), 0.9999999999998099);
  const t = shifted + 7.5;
  return 0.5 * Math.log(2 * Math.PI) + (shifted + 0.5) * Math.log(t) - t + Math.log(series);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
