import { hasUtf16Mark } from '../../domain/media-type.ts';
import { ParseFailure } from './parse-failure.ts';

/**
 * Text of strict UTF-8, or of UTF-16 with a byte order mark; the mark is left out. Throws ParseFailure `invalid_encoding`
 * for other bytes, and `binary` where there is a NUL, which no database takes for text.
 */
export function decodeText(bytes: Uint8Array): string {
  const text = decodeAs(hasUtf16Mark(bytes) ? (bytes[0] === 0xff ? 'utf-16le' : 'utf-16be') : 'utf-8', bytes);
  if (text.includes('\0')) throw new ParseFailure('binary', 'there is a NUL in it');
  return text;
}

/** By the name of an encoding as HTML has it; null when there is none of that name. */
export function decodeNamed(encoding: string, bytes: Uint8Array): string | null {
  const known = knownEncoding(encoding);
  return known === 'windows-1252' ? decodeWindows(bytes) : known === null ? null : decodeAs(known, bytes);
}

function knownEncoding(name: string): string | null {
  try {
    return new TextDecoder(name).encoding;
  } catch {
    return null;
  }
}

// Of 0x80 to 0x9f; the other bytes are as in Unicode. Some versions of Node decode these as control characters.
const windowsLetters = '€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ';

function decodeWindows(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString('latin1');
  return text.replace(/[\u0080-\u009f]/g, (letter) => windowsLetters.charAt(letter.charCodeAt(0) - 0x80));
}

function decodeAs(encoding: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    throw new ParseFailure('invalid_encoding', `it is not valid ${encoding.toUpperCase()}`);
  }
}
