import { stemmer } from 'stemmer';

// From text to the terms that BM25 counts. No stop words: a common word weighs little by itself (idf).

/** Of the rules in this file: other rules make other terms, in a collection of their own. */
export const lexicalVersion = 'porter-1';

// Longer ones are no words: they count as they are.
const longestStemmed = 40;
const word = /[\p{L}\p{N}\p{M}]+(?:[_.:/-]+[\p{L}\p{N}\p{M}]+)*/gu;
const part = /[\p{L}\p{N}\p{M}]+/gu;
const camel = /\p{Lu}+(?!\p{Ll})|\p{Lu}?\p{Ll}+|\p{N}+|[\p{Lo}\p{M}]+/gu;
const unspaced = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]+$/u;
// The same words in half the time, where there are no other letters.
const ascii = /^[\0-\x7f]*$/;
const asciiWord = /[a-z0-9]+(?:[_.:/-]+[a-z0-9]+)*/gi;

/** What a word counts as. */
interface WordTerms {
  readonly terms: readonly string[];
  readonly hashes: readonly number[];
}

// Making terms is most of the work, and words come again.
const mostWords = 50_000;
const longestKept = 40;
const known = new Map<string, WordTerms>();

/** Stems in order, with repetitions. Names of code and numbers (`ERR_NOT_FOUND`, `p04-gigabit`) count whole as well as in parts. */
export function termsOf(text: string): string[] {
  return wordsOf(text).flatMap((found) => termsOfWord(found).terms);
}

/** The same, by `termHash`. */
export function termHashesOf(text: string): number[] {
  const hashes: number[] = [];
  for (const found of wordsOf(text)) for (const hash of termsOfWord(found).hashes) hashes.push(hash);
  return hashes;
}

function wordsOf(text: string): readonly string[] {
  const isAscii = ascii.test(text);
  return plain(text, isAscii).match(isAscii ? asciiWord : word) ?? [];
}

/** One for compatible forms, without accents and possessives; case is kept, because names are told by it. */
function plain(text: string, isAscii: boolean): string {
  if (isAscii) return text.includes("'s") ? text.replace(/'s(?![A-Za-z0-9])/g, '') : text;
  return text
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '')
    .replace(/['’]s(?![\p{L}\p{N}])/gu, '')
    .normalize('NFC');
}

function termsOfWord(found: string): WordTerms {
  const before = known.get(found);
  if (before !== undefined) return before;
  // A copy: engines let a part of a text hold on to all of it.
  const own = found.length > longestKept ? found : Array.from(found).join('');
  const terms: string[] = [];
  addWord(own, terms);
  const made = { terms, hashes: terms.map(termHash) };
  if (found.length > longestKept) return made;
  if (known.size >= mostWords) known.clear();
  known.set(own, made);
  return made;
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
  return lower.length > longestStemmed || !/^[a-z]+$/.test(lower) ? lower : stemmer(lower);
}

/** Unsigned, 32 bits: the index of a term in a sparse vector. FNV-1a over UTF-16 code units, then the finish of Murmur 3. */
export function termHash(term: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < term.length; at += 1) hash = Math.imul(hash ^ term.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
