/**
 * Works that belong together: when one fails the others are told to end, and nothing of them runs on when this throws the first
 * error.
 */
export async function together<T extends readonly unknown[]>(
  signal: AbortSignal,
  works: { readonly [K in keyof T]: (signal: AbortSignal) => Promise<T[K]> },
): Promise<T> {
  const ending = new AbortController();
  const both = AbortSignal.any([signal, ending.signal]);
  const failures: unknown[] = [];
  const settled = await Promise.allSettled(
    works.map(async (work) => {
      try {
        return await work(both);
      } catch (error) {
        failures.push(error);
        ending.abort(error);
        throw error;
      }
    }),
  );
  signal.throwIfAborted();
  if (failures.length > 0) throw failures[0];
  return settled.map((each) => (each as PromiseFulfilledResult<unknown>).value) as unknown as T;
}
