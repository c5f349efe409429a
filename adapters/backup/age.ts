import { Decrypter, Encrypter } from 'age-encryption';
import { randomBytes } from 'node:crypto';
import { PermanentFailure } from '../../domain/failures.ts';
import { AgeRefused, openPayload, payloadKey, payloadNonceBytes, sealPayload } from './age-payload.ts';

/** Longer than any header with thousands of recipients. */
const mostHeaderBytes = 1 << 20;

/** Encrypts a stream to all of the recipients, as any age program reads it. */
export function encrypt(recipients: readonly string[]) {
  return async function* (source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const { header, fileKey } = await newHeader(recipients);
    const nonce = randomBytes(payloadNonceBytes);
    yield Buffer.concat([header, nonce]);
    yield* sealPayload(payloadKey(fileKey, nonce), source);
  };
}

/** Throws PermanentFailure `KeyMissing` when none of the identities is of a recipient, AgeRefused when it is no whole age file. */
export function decrypt(identities: readonly string[]) {
  return async function* (source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const iterator = source[Symbol.asyncIterator]();
    try {
      const { header, nonce, rest } = await readHeader(iterator);
      const key = payloadKey(await fileKeyOf(header, identities), nonce);
      yield* openPayload(key, continued(rest, iterator));
    } finally {
      await iterator.return?.();
    }
  };
}

/** The package makes the header; the key in it is shown to whoever says how it is wrapped. */
async function newHeader(recipients: readonly string[]): Promise<{ header: Uint8Array; fileKey: Uint8Array }> {
  if (recipients.length === 0) throw new Error('Nobody to encrypt to');
  const encrypter = new Encrypter();
  for (const recipient of recipients) encrypter.addRecipient(recipient);
  let fileKey: Uint8Array | undefined;
  encrypter.addRecipient({
    wrapFileKey(key) {
      fileKey = Uint8Array.from(key);
      return [];
    },
  });
  const empty = await encrypter.encrypt(new Uint8Array(0));
  const end = headerEnd(empty);
  if (fileKey === undefined || end === null) throw new Error('age made no header');
  return { header: empty.subarray(0, end), fileKey };
}

async function fileKeyOf(header: Uint8Array, identities: readonly string[]): Promise<Uint8Array> {
  if (identities.length === 0) throw new PermanentFailure('KeyMissing', 'It is encrypted, and no key was given');
  const decrypter = new Decrypter();
  for (const identity of identities) decrypter.addIdentity(identity);
  try {
    return await decrypter.decryptHeader(header);
  } catch (error) {
    const { message } = error as Error;
    if (!/no identity matched/i.test(message)) throw new AgeRefused(message);
    throw new PermanentFailure('KeyMissing', 'None of the keys that were given decrypts it');
  }
}

/** `source` is left right behind the nonce; `rest` was read already. */
async function readHeader(source: AsyncIterator<Uint8Array>) {
  let read: Buffer = Buffer.alloc(0);
  while (read.length <= mostHeaderBytes) {
    const end = headerEnd(read);
    if (end !== null && read.length >= end + payloadNonceBytes) {
      const payload = end + payloadNonceBytes;
      return { header: read.subarray(0, end), nonce: read.subarray(end, payload), rest: read.subarray(payload) };
    }
    const next = await source.next();
    if (next.done === true) break;
    read = Buffer.concat([read, next.value]);
  }
  throw new AgeRefused('it does not begin as an age file');
}

/** The offset behind the line with the header's MAC. */
function headerEnd(bytes: Uint8Array): number | null {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const line = buffer.indexOf('\n--- ');
  const end = line === -1 ? -1 : buffer.indexOf('\n', line + 1);
  return end === -1 ? null : end + 1;
}

async function* continued(first: Buffer, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (first.length > 0) yield first;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}
