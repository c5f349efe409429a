import type { FailureType } from '../failures.ts';

/** Nobody can help a wave to go on: what it wrote may not be seen any more, or is not what it was to be. */
const fatal: readonly string[] = [
  'GenerationClosed',
  'IncarnationChanged',
  'LockLost',
  'EmbeddingMismatch',
  'CollectionMismatch',
] satisfies FailureType[];

/** Whether a failure of this type ends the wave; any other one is a person's to decide on. */
export function endsTheWave(type: string | null | undefined): boolean {
  return type != null && fatal.includes(type);
}
