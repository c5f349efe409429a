import { endLeftoverContainers } from './container/leftovers.ts';
import type { Home } from './home.ts';
import { stopLeftovers } from './process-record.ts';
import { supervise, type Part, type Supervised } from './supervised.ts';
import { claimSupervision } from './supervisor-lock.ts';

/** The parts that this process keeps alive. */
export interface Supervision {
  /** In the order in which they were started. */
  readonly parts: readonly Supervised[];
  start(part: Part): Promise<Supervised>;
  /** Ends them, the last one first, and lets another process supervise. */
  stop(): Promise<void>;
}

/**
 * Takes over the supervision that is kept in `home.run`, and ends what an earlier one left when it was killed. Throws
 * AlreadyRunning, and StackError where something left cannot be ended.
 */
export async function takeSupervision(home: Home, say: (line: string) => void): Promise<Supervision> {
  const release = await claimSupervision(home);
  const parts: Supervised[] = [];
  try {
    const left = [...(await stopLeftovers(home)), ...(await endLeftoverContainers(home))];
    if (left.length > 0) say(`stopped what an earlier run had left: ${left.join(', ')}`);
  } catch (error) {
    await release();
    throw error;
  }
  return {
    parts,
    async start(part) {
      const started = await supervise(home, part, say);
      parts.push(started);
      return started;
    },
    async stop() {
      for (const part of parts.splice(0).reverse()) await part.stop();
      await release();
    },
  };
}
