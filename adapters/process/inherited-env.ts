/** An environment as Node gives it. */
export type Environment = Readonly<Record<string, string | undefined>>;

const inherited = ['PATH', 'HOME', 'LANG', 'TZ'];

/** What a child process gets of the worker's environment: enough to find programs, and none of the worker's secrets. */
export function inheritedEnv(worker: Environment): Record<string, string> {
  const entries = inherited.flatMap((name) => (worker[name] === undefined ? [] : [[name, worker[name]]]));
  return Object.fromEntries(entries) as Record<string, string>;
}
