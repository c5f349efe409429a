import { sha1 } from '@noble/hashes/legacy.js';
import { bytesToHex, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';

/** The namespace of deploy ids: any fixed uuid; changing it would make old idempotency keys start new deploys. */
const namespace = hexToBytes('7d1c2c0f5a3e4f0d9b6a1e2f3c4d5b6a');

/**
 * The id of the deploy that this token asks for under this idempotency key: a version 5 uuid (RFC 9562). The same request
 * has the same id even when the process that answered it died before it could note down that it had.
 */
export function deployIdOf(tokenId: string, key: string): string {
  const name = utf8ToBytes(`${tokenId}\n${key}`);
  const bytes = sha1(new Uint8Array([...namespace, ...name])).slice(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x50;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytesToHex(bytes);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
