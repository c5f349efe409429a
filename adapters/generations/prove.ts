import type { QdrantClient } from '@qdrant/js-client-rest';
import { dimensionsOf, lexicalOnly } from '../../domain/embedding.ts';
import type { GenerationRef } from '../../domain/generation/generation.ts';
import type { Sql } from '../postgres/connect.ts';
import { createGenerationStore } from '../postgres/generations.ts';
import { createLifetimeStore } from '../postgres/lifetimes.ts';
import { seal, type OwnRows, type Totals } from '../postgres/proof-facts.ts';
import { countTerms } from '../postgres/term-counts.ts';
import { collectionExists, ensureCollection } from '../qdrant/collections.ts';
import { createComparison } from './comparison.ts';
import { createRepair, type NumberOfMark, type RepairScope } from './repair.ts';
import { writeGuard, type WriteOptions } from './writer.ts';

export interface ProofDetail extends OwnRows {
  /** Alive at the generation; null when it was not proved. */
  readonly documents: number | null;
  readonly chunks: number | null;
  /** Points that were missing, had another death than their row, or had no row. */
  readonly repaired: number;
}

export interface Proof {
  readonly ok: boolean;
  readonly reason: string;
  readonly detail: ProofDetail;
}

/** A late write that comes while it is compared is found by the next round; a store that never agrees is no store to commit to. */
const mostRounds = 3;

type ProofOptions = Omit<WriteOptions, 'also'>;

export type GenerationProof = ReturnType<typeof createProof>;

/**
 * G3. The end of a wave's writing: counts its terms, compares both stores at its number by their ids and at every other one by
 * their counts, repairs points from rows, and seals the generation. Repeatable; `ok` again for what is proved already. Throws
 * as writes do.
 */
export function createProof({ sql, qdrant }: { readonly sql: Sql; readonly qdrant: QdrantClient }) {
  const generations = createGenerationStore(sql);
  const lifetimes = createLifetimeStore(sql);
  const compare = createComparison({ sql, qdrant });
  const repair = createRepair({ sql, qdrant });

  /** Once over everything. `repaired` 0: nothing differed. */
  async function round(
    scope: RepairScope,
    { project, number }: GenerationRef,
  ): Promise<OwnRows & { repaired: number }> {
    const total = { born: 0, died: 0, repaired: 0 };
    const make = async (what: NumberOfMark): Promise<number> => {
      const { rows, put, redated, removed } = await repair.number(scope, what);
      total.repaired += put + redated + removed;
      return rows;
    };
    for (const collection of await collectionsThere(project)) {
      total.born += await make({ collection, mark: 'born', number });
      total.died += await make({ collection, mark: 'died', number });
    }
    const identities = await lifetimes.collections(project);
    for (const difference of await compare(project, scope.gc_floor)) {
      await ensureCollection(
        qdrant,
        difference.collection,
        dimensionsOf(identities.get(difference.collection) ?? lexicalOnly),
      );
      await make(difference);
    }
    return total;
  }

  async function collectionsThere(project: string): Promise<string[]> {
    const all = [...(await lifetimes.collections(project)).keys()];
    const there = await Promise.all(all.map((name) => collectionExists(qdrant, name)));
    return all.filter((_, at) => there[at]);
  }

  async function prove(ref: GenerationRef, options: ProofOptions = {}): Promise<Proof> {
    const known = await generations.find(ref.project, ref.number);
    if (known?.state === 'proved' && known.incarnation === ref.incarnation) return proved(known, noneOwn, 0);
    await countTerms(sql, ref);
    const { project, incarnation } = ref;
    const guard = writeGuard(sql, ref, options);
    let repaired = 0;
    let own = noneOwn;
    for (let at = 0; at < mostRounds; at += 1) {
      // Each round anew: what is being collected meanwhile is no difference.
      const gc_floor = (await generations.standing(project))?.gc_floor ?? 0;
      const seen = await round({ project, incarnation, gc_floor, guard }, ref);
      repaired += seen.repaired;
      own = { born: seen.born, died: seen.died };
      if (seen.repaired > 0) continue;
      const sealed = await seal(sql, ref, own);
      if (sealed.state === 'proved') return proved(sealed.totals, own, repaired);
      if (sealed.state === 'wrong') return failed(sealed.reasons.join('; '), own, repaired);
    }
    return failed(`The stores still differ after ${mostRounds} repairs`, own, repaired);
  }

  return { prove };
}

const noneOwn: OwnRows = { born: 0, died: 0 };

function proved(
  { documents, chunks }: Totals | Record<keyof Totals, number | null>,
  own: OwnRows,
  repaired: number,
): Proof {
  return { ok: true, reason: 'both stores are the same', detail: { ...own, documents, chunks, repaired } };
}

function failed(reason: string, own: OwnRows, repaired: number): Proof {
  return { ok: false, reason, detail: { ...own, documents: null, chunks: null, repaired } };
}
