import type { WavePlan } from './schemas.ts';

/** About as many bytes of text as a chunk has, for a plan that nothing has been parsed for. */
const bytesOfAChunk = 800;

/** `rate`: chunks a second that one embedder of the box has shown; null: it has shown none, or there is none. */
export function priceOf(
  bytes: number,
  rate: number | null,
): Pick<WavePlan, 'chunks_estimate' | 'embed_seconds_estimate'> {
  const chunks_estimate = Math.ceil(bytes / bytesOfAChunk);
  return { chunks_estimate, embed_seconds_estimate: rate === null ? null : Math.round(chunks_estimate / rate) };
}
