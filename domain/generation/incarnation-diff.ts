import { chunkId } from './ids.ts';

/** A chunk of one document as it is stored: alive at the parent, or born with the wave's own number. */
export interface StoredIncarnation {
  readonly id: string;
  readonly key: string;
  readonly collection: string;
  readonly born: number;
  readonly died: number;
}

/** What a wave does to the chunks of one document. */
export interface IncarnationDiff {
  /** Index into the wanted keys -> id: to be written, in part perhaps already by an attempt before this one. */
  readonly born: ReadonlyMap<number, string>;
  /** Stay as they are: neither rows nor points are touched. */
  readonly kept: readonly string[];
  /** Die with the wave's number. */
  readonly died: readonly string[];
  /** Kept, though another attempt of the wave had let them die: they live on. */
  readonly revived: readonly string[];
  /** Born with the wave's number by an attempt that saw other content: nobody has ever read them, and they go. */
  readonly stray: readonly string[];
}

/**
 * G2, G3. `stored` holds what was alive at the parent, whatever attempts of this wave have done to it since, and what they bore.
 * What was alive at the parent does not change while the wave writes, so each attempt comes to the same.
 */
export function diffIncarnations(
  wanted: { readonly project: string; readonly keys: readonly string[]; readonly collection: string },
  stored: readonly StoredIncarnation[],
  number: number,
): IncarnationDiff {
  const before = stored.filter(({ born }) => born < number);
  const reusable = new Map(
    before.filter(({ collection }) => collection === wanted.collection).map((row) => [row.key, row]),
  );
  const born = new Map<number, string>();
  const keptRows = new Set<StoredIncarnation>();
  const seen = new Set<string>();
  wanted.keys.forEach((key, at) => {
    if (seen.has(key)) throw new Error('A document has the same chunk twice');
    seen.add(key);
    const there = reusable.get(key);
    if (there === undefined) born.set(at, chunkId(wanted.project, key, number));
    else keptRows.add(there);
  });
  const own = new Set(born.values());
  return {
    born,
    kept: [...keptRows].map(({ id }) => id),
    died: before.filter((row) => !keptRows.has(row)).map(({ id }) => id),
    revived: [...keptRows].filter(({ died }) => died === number).map(({ id }) => id),
    stray: stored.filter((row) => row.born === number && !own.has(row.id)).map(({ id }) => id),
  };
}
