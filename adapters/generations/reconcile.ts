import type { QdrantClient } from '@qdrant/js-client-rest';
import { dimensionsOf, lexicalOnly } from '../../domain/embedding.ts';
import type { Difference } from '../../domain/generation/comparison.ts';
import type { Sql } from '../postgres/connect.ts';
import { databaseIncarnation } from '../postgres/database-incarnation.ts';
import { createGenerationStore } from '../postgres/generations.ts';
import { createLifetimeStore } from '../postgres/lifetimes.ts';
import { ensureCollection } from '../qdrant/collections.ts';
import { createComparison } from './comparison.ts';
import { createRepair, type Repaired } from './repair.ts';

/** A number at which the stores differed, and what was done about it. */
export type Reconciled = Difference & Repaired;

export type Reconcile = ReturnType<typeof createReconciliation>;

/**
 * G9. Points are made what the rows say, in all projects: at boot, after any restart of Qdrant and after every restore, also while
 * waves run. A Qdrant that lost everything is filled again, and nothing is embedded for it.
 */
export function createReconciliation({ sql, qdrant }: { readonly sql: Sql; readonly qdrant: QdrantClient }) {
  const generations = createGenerationStore(sql);
  const lifetimes = createLifetimeStore(sql);
  const compare = createComparison({ sql, qdrant });
  const repair = createRepair({ sql, qdrant });

  async function project(name: string, signal: AbortSignal): Promise<Reconciled[]> {
    const incarnation = await databaseIncarnation(sql);
    const gc_floor = (await generations.standing(name))?.gc_floor ?? 0;
    const found = await compare(name, gc_floor);
    const identities = await lifetimes.collections(name);
    const done: Reconciled[] = [];
    for (const difference of found) {
      const identity = identities.get(difference.collection) ?? lexicalOnly;
      await ensureCollection(qdrant, difference.collection, dimensionsOf(identity));
      const guard = async () => signal.throwIfAborted();
      done.push({
        ...difference,
        ...(await repair.number({ project: name, incarnation, gc_floor, guard }, difference)),
      });
    }
    return done;
  }

  return {
    project,

    /** Projects in which nothing differed are not in the answer. */
    async all(signal: AbortSignal): Promise<ReadonlyMap<string, readonly Reconciled[]>> {
      const done = new Map<string, readonly Reconciled[]>();
      for (const name of await generations.projects()) {
        const repaired = await project(name, signal);
        if (repaired.length > 0) done.set(name, repaired);
      }
      return done;
    },
  };
}
