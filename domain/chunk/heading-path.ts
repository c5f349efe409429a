import { beginning } from './divide.ts';
import { estimateTokens } from './tokens.ts';

/** A heading that is in force, and where it stands. */
export interface Heading {
  readonly level: number;
  readonly text: string;
  readonly start: number;
}

/** The path below a new heading: it ends those of its level and deeper ones. One that says nothing is in no path. */
export function under(path: readonly Heading[], heading: Heading): readonly Heading[] {
  const above = path.filter(({ level }) => level < heading.level);
  return heading.text === '' ? above : [...above, heading];
}

/**
 * What a chunk is embedded under: the document's title and the headings that are not in its own text, as in `A > B`, within
 * so many tokens, the innermost first.
 */
export function prefixOf(
  title: string | null,
  path: readonly Heading[],
  chunkStart: number,
  most: number,
): { readonly text: string; readonly tokens: number } {
  const above = path.filter(({ start }) => start < chunkStart).map(({ text }) => text);
  const [first] = path;
  // Pages are often called by their first heading and the site.
  const isSaid = title === null || (first !== undefined && title.includes(first.text));
  const names = isSaid ? above : [title, ...above];
  let text = '';
  for (const name of [...names].reverse()) {
    const longer = text === '' ? beginning(name, most) : `${name} > ${text}`;
    if (estimateTokens(longer) > most) break;
    text = longer;
  }
  return { text, tokens: estimateTokens(text) };
}
