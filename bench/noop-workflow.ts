/** Does nothing: what is left is what Temporal itself costs. */
export function noop(): Promise<string> {
  return Promise.resolve('done');
}
