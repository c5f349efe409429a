/** Two sequences in the ascending order of their ids, which are of one form: what has the same id comes together. */
export async function* besideEachOther<A extends { readonly id: string }, B extends { readonly id: string }>(
  ones: AsyncIterable<A>,
  others: AsyncIterable<B>,
): AsyncGenerator<readonly [A | null, B | null]> {
  const left = ones[Symbol.asyncIterator]();
  const right = others[Symbol.asyncIterator]();
  try {
    let [one, other] = await Promise.all([left.next(), right.next()]);
    while (one.done !== true || other.done !== true) {
      const a = one.done === true ? null : one.value;
      const b = other.done === true ? null : other.value;
      const takeA = a !== null && (b === null || a.id <= b.id);
      const takeB = b !== null && (a === null || b.id <= a.id);
      yield [takeA ? a : null, takeB ? b : null];
      if (takeA) one = await left.next();
      if (takeB) other = await right.next();
    }
  } finally {
    await Promise.all([left.return?.(), right.return?.()]);
  }
}
