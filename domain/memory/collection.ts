import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';

/** Whose memories they are. */
export interface MemorySpace {
  /** Made once an installation: two that share a Qdrant have collections of their own. */
  readonly space: string;
  /** Its name: a copy that is restored beside the live one has a collection of its own too. */
  readonly database: string;
}

/** Of memories alone: whatever compares, collects or copies generations never meets them. */
export function memoryCollectionName({ space, database }: MemorySpace, identity: string, lexical: string): string {
  const sum = sha256(utf8ToBytes(JSON.stringify([space, database, identity, lexical])));
  return `holdfast-memories-${bytesToHex(sum).slice(0, 20)}`;
}

/** What the payload of a point says of a memory of no project; no project can have this id. */
export const ofNoProject = '-';
