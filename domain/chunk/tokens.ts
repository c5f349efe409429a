// Word pieces of an uncased BERT vocabulary, estimated without it: the commonest English words are one piece each, any
// other run of letters is as many as such runs make on average over English and other languages. Figures on prose, code
// and a dozen languages: docs/reference/documents.md.

const common = `a about after again also an and any are as at back be because been before being between both but by call came can
change check code could data day did do does done down each end even every fail file find first for from get give go good
great had has have he her here high him his how if in into is it its just keep know last less like line list long look made
make many may me more most much must my name need never new next no not number of off on once one only open or other our out
over own part place point put read result right run said same see set she should show since small so some state still such
take test text than that the their them then there these they thing this those three time to two type under up us use used
using value very was way we well were what when where which while who why will with within without word work world would
write year you your`;

// Of a run of so many letters that is no common word; beyond the table, `longRunPieces` a letter.
const piecesByLength = [0, 1, 1.05, 1.25, 1.3, 1.4, 1.5, 1.6, 1.75, 1.95, 2.2, 2.5, 2.8, 3.2, 3.7, 4.3, 5];
const longRunPieces = 0.36;
const digitPieces = 0.6;

const commonHashes = new Set(common.split(/\s+/).map((word) => hashOf(word)));
const longestCommon = 7;

/** Estimated word pieces of a text or a part of it, without the two that mark its ends. */
export function estimateTokens(text: string, start = 0, end = text.length): number {
  let tokens = 0;
  let position = start;
  while (position < end) {
    const kind = kindOf(text.charCodeAt(position));
    if (kind === white || kind === mark) {
      tokens += kind;
      position += 1;
      continue;
    }
    const from = position;
    position = kind === letter ? endOfWord(text, position, end) : endOfRun(text, position, end, kind);
    tokens += piecesOf(kind, text, from, position);
  }
  return Math.ceil(tokens);
}

// The first two are also how many pieces such a character is.
const white = 0;
const mark = 1;
const letter = 2;
const digit = 3;
const accented = 4;
const hangul = 5;

const asciiKinds = Uint8Array.from({ length: 128 }, (_, code) => {
  if (code <= 32 || code === 127) return white;
  if (code >= 48 && code <= 57) return digit;
  return isCapital(code) || (code >= 97 && code <= 122) ? letter : mark;
});

function kindOf(code: number): number {
  if (code < 128) return asciiKinds[code] ?? mark;
  if (code === 0xa0 || code === 0x3000 || code === 0xfeff) return white;
  if (code >= 0xac00 && code <= 0xd7a3) return hangul;
  // Cyrillic, Greek, Chinese and all else: about a piece a character.
  return (code >= 0xc0 && code < 0x250) || (code >= 0x1e00 && code < 0x1f00) ? accented : mark;
}

function isCapital(code: number): boolean {
  return code >= 65 && code <= 90;
}

/** Up to where another word begins, as in `camelCase`: the vocabulary seldom has both in one. */
function endOfWord(text: string, from: number, end: number): number {
  let position = from + 1;
  let small = !isCapital(text.charCodeAt(from));
  for (; position < end; position += 1) {
    const code = text.charCodeAt(position);
    if (kindOf(code) !== letter) break;
    if (!isCapital(code)) small = true;
    else if (small) break;
  }
  return position;
}

function endOfRun(text: string, from: number, end: number, kind: number): number {
  let position = from + 1;
  while (position < end && kindOf(text.charCodeAt(position)) === kind) position += 1;
  return position;
}

function piecesOf(kind: number, text: string, from: number, to: number): number {
  const length = to - from;
  if (kind === digit) return length < 3 ? 1 : length * digitPieces;
  // It is decomposed into what it is written with.
  if (kind === hangul) return length * 2;
  if (kind === accented) return length;
  if (length <= longestCommon && commonHashes.has(hashOf(text, from, to))) return 1;
  return piecesByLength[length] ?? length * longRunPieces;
}

/** Of a word in small letters, whatever it is written in. */
function hashOf(text: string, from = 0, to = text.length): number {
  let hash = 0;
  for (let position = from; position < to; position += 1) hash = (hash * 31 + (text.charCodeAt(position) | 32)) | 0;
  return hash;
}
