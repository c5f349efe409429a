/** A file of a source, as its listing has it. */
export interface SourceItem {
  /** Within the source, with `/` between its parts; a plain path (path.ts). */
  readonly path: string;
  /** null: only known once it is read. */
  readonly bytes: number | null;
  readonly modifiedAt: Date | null;
  /** Where a person finds it. */
  readonly uri: string | null;
  /** What the source calls this version: equal ones are equal bytes, and are not read again. null: it must be read. */
  readonly version: string | null;
}

/** What a source held, when all of it was looked at. `sha256` in hexadecimal. */
export interface ListedItem extends Omit<SourceItem, 'bytes'> {
  readonly bytes: number;
  readonly sha256: string;
  /** What an HTTP server says it is; null: its name tells. */
  readonly mediaType: string | null;
}

/** Why something that is there is no part of a listing. A file that cannot be read is none of these: it ends the listing. */
export const skipReasons = [
  'link',
  'submodule',
  'special_file',
  'name_not_utf8',
  'path_not_plain',
  'too_large',
  'other_host',
] as const;
export type SkipReason = (typeof skipReasons)[number];

export type Skipped = Partial<Record<SkipReason, { count: number; examples: string[] }>>;

const mostExamples = 20;

/** Counts what was left out, and names the first of each kind. */
export function createSkipList() {
  const skipped: Skipped = {};
  return {
    add(reason: SkipReason, path: string): void {
      const found = (skipped[reason] ??= { count: 0, examples: [] });
      found.count += 1;
      if (found.examples.length < mostExamples) found.examples.push(path.slice(0, 500));
    },
    list: () => skipped,
  };
}

export type SkipList = ReturnType<typeof createSkipList>;
