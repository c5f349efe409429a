/** Tells a person what is going on: a line a step, with its time. */
export interface Report {
  /** Runs `work`; what it returns as `found` stands behind the step's name. */
  step<T>(name: string, work: () => Promise<T>, found?: (value: T) => string): Promise<T>;
  say(line: string): void;
}

export function createReport(write: (line: string) => void): Report {
  return {
    say: (line) => write(`    ${line}`),
    async step(name, work, found) {
      const since = performance.now();
      const seconds = (): string => `${((performance.now() - since) / 1000).toFixed(1)} s`;
      try {
        const value = await work();
        write(`  ✓ ${name}${found === undefined ? '' : `: ${found(value)}`} (${seconds()})`);
        return value;
      } catch (error) {
        write(`  ✗ ${name} (${seconds()})`);
        throw error;
      }
    },
  };
}
