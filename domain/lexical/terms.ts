import { stemmer } from 'stemmer';

// From text to the terms that BM25 counts. No stop words: a common word weighs little by itself (idf).

/** Of the rules in this file: other rules make other terms, in a collection of their own. */
export const lexicalVersion = 'porter-1';

// Longer ones are no words: they count as they are.
const longestStemmed = 40;
// Stemming is most of the work, and words come again.
const mostStems = 50_000;
const stems = new Map<string, string>();
const word = /[\p{L}\p{N}\p{M}]+(?:[_.:/-]+[\p{L}\p{N}\p{M}]+)*/gu;
const part = /[\p{L}\p{N}\p{M}]+/gu;
const camel = /\p{Lu}+(?!\p{Ll})|\p{Lu}?\p{Ll}+|\p{N}+|[\p{Lo}\p{M}]+/gu;
const unspaced = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]+$/u;

/** Stems in order, with repetitions. Names of code and numbers (`ERR_NOT_FOUND`, `p04-gigabit`) count whole as well as in parts. */
export function termsOf(text: string): string[] {
  const terms: string[] = [];
  for (const [found] of plain(text).matchAll(word)) addWord(found, terms);
  return terms;
}

/** One for compatible forms, without accents and possessives; case is kept, because names are told by it. */
function plain(text: string): string {
  return text
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '')
    .replace(/['’]s(?![\p{L}\p{N}])/gu, '')
    .normalize('NFC');
}

function addWord(found: string, terms: string[]): void {
  const parts = found.match(part) ?? [];
  if (parts.length > 1 && isName(found)) terms.push(found.toLowerCase());
  for (const each of parts) addPart(each, terms);
}

/** Not one that a hyphen or a slash merely joins, as in `boundary-layer`. */
function isName(joined: string): boolean {
  return /[_\p{N}]|[.:]/u.test(joined);
}

function addPart(found: string, terms: string[]): void {
  if (unspaced.test(found)) {
    terms.push(...pairsOf(found));
    return;
  }
  terms.push(stem(found.toLowerCase()));
  if (!/\p{Ll}\p{Lu}|\p{Lu}{2}\p{Ll}/u.test(found)) return;
  const pieces = found.match(camel) ?? [];
  if (pieces.length > 1) terms.push(...pieces.map((piece) => stem(piece.toLowerCase())));
}

/** Where no spaces tell words, each two neighbours are one. */
function pairsOf(found: string): string[] {
  const letters = Array.from(found);
  if (letters.length < 2) return letters;
  return letters.slice(1).map((letter, at) => `${letters[at] ?? ''}${letter}`);
}

function stem(lower: string): string {
  if (lower.length > longestStemmed || !/^[a-z]+$/.test(lower)) return lower;
  const known = stems.get(lower);
  if (known !== undefined) return known;
  const made = stemmer(lower);
  if (stems.size >= mostStems) stems.clear();
  stems.set(lower, made);
  return made;
}

/** Unsigned, 32 bits: the index of a term in a sparse vector. FNV-1a over UTF-16 code units, then the finish of Murmur 3. */
export function termHash(term: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < term.length; at += 1) hash = Math.imul(hash ^ term.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
