import { foldName } from './names.ts';
import type { SourceSpec } from './source.ts';
import { supersededItems, type ProjectPolicy, type TrustedItem } from './policy.ts';

/** Where something does not fit the rest, and what is wrong with it. */
type Misfit = readonly [path: readonly (string | number)[], message: string];

interface Parts {
  readonly aliases: readonly string[];
  readonly sources: readonly SourceSpec[];
  readonly policy: Pick<ProjectPolicy, 'trusted_waves'>;
}

/** What no field shows by itself. */
export function misfits({ aliases, sources, policy }: Parts): Misfit[] {
  const names = sources.map(({ name }) => name);
  const waves = policy.trusted_waves.map(({ name }) => name);
  return [
    ...repeated(aliases.map(foldName)).map((at): Misfit => [['aliases', at], 'the same name twice']),
    ...repeated(names).map((at): Misfit => [['sources', at, 'name'], 'the name of another source']),
    ...sources.flatMap((source, at): Misfit[] =>
      source.kind === 'http' && (source.urls.length === 0) === (source.sitemap === null)
        ? [[['sources', at], 'either urls or a sitemap']]
        : [],
    ),
    ...repeated(waves).map((at): Misfit => [['policy', 'trusted_waves', at, 'name'], 'the name of another wave']),
    ...policy.trusted_waves.flatMap(({ items }, wave) =>
      misfitsOfItems(items, names).map(([path, message]): Misfit => [
        ['policy', 'trusted_waves', wave, 'items', ...path],
        message,
      ]),
    ),
  ];
}

function misfitsOfItems(items: readonly TrustedItem[], sources: readonly string[]): Misfit[] {
  const byName = new Map(items.map((item) => [item.name, item]));
  const found: Misfit[] = [
    ...repeated(items.map(({ name }) => name)).map((at): Misfit => [[at, 'name'], 'the name of another item']),
    ...repeated(items.map(({ source, path }) => `${source}\n${path}`)).map((at): Misfit => [
      [at, 'path'],
      'listed twice',
    ]),
    ...repeated(items.map(({ supersedes }, at) => supersedes ?? at)).map((at): Misfit => [
      [at, 'supersedes'],
      'another item took its place',
    ]),
  ];
  for (const [at, { source, supersedes }] of items.entries()) {
    if (!sources.includes(source)) found.push([[at, 'source'], `no source of this project is called ${source}`]);
    const before = supersedes === null ? undefined : byName.get(supersedes);
    if (supersedes !== null && before === undefined) found.push([[at, 'supersedes'], 'no item of this wave']);
  }
  // Where nobody takes a place twice, a ring is what leaves an item without one that is current at its end.
  if (found.length === 0 && hasRing(items)) found.push([[], 'items that supersede each other in a ring']);
  return found;
}

function hasRing(items: readonly TrustedItem[]): boolean {
  const byName = new Map(items.map((item) => [item.name, item]));
  const stale = supersededItems(items);
  const reached = new Set<string>();
  for (const current of items.filter(({ name }) => !stale.has(name))) {
    for (let item: TrustedItem | undefined = current; item !== undefined;) {
      reached.add(item.name);
      item = item.supersedes === null ? undefined : byName.get(item.supersedes);
    }
  }
  return reached.size < items.length;
}

/** Where values are that stood before. */
function repeated(values: readonly (string | number)[]): number[] {
  const seen = new Set<string | number>();
  return values.flatMap((value, at) => {
    const again = seen.has(value);
    seen.add(value);
    return again ? [at] : [];
  });
}
