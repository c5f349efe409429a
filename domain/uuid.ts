import { sha1 } from '@noble/hashes/legacy.js';
import { bytesToHex, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';

/** A version 5 uuid (RFC 9562): the same name in the same namespace, itself a uuid, is always the same. */
export function uuidv5(namespace: string, name: string): string {
  const within = hexToBytes(namespace.replaceAll('-', ''));
  const bytes = sha1.create().update(within).update(utf8ToBytes(name)).digest();
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x50;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytesToHex(bytes);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}
