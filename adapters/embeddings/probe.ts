import { cosine, embeddedSha256 } from '../../domain/embedding.ts';
import { PermanentFailure } from '../../domain/failures.ts';
import type { VectorStore } from '../postgres/vectors.ts';
import type { Embeddings } from './embedder.ts';

export const probeText = 'The same text has the same vector as long as the model is the same.';
// Another processor rounds otherwise; another model is nowhere near.
const leastCosine = 0.95;

/**
 * Whether the model is still the one that the vectors of its identity were made with: a server may have another one under the
 * same name by now. Throws PermanentFailure EmbeddingMismatch when it is not. The first look is what later ones are compared with.
 * Where nothing is embedded there is nothing to look at.
 */
export async function refuseOtherModel(
  embedder: Embeddings,
  vectors: Pick<VectorStore, 'find' | 'keep'>,
  signal: AbortSignal,
): Promise<void> {
  if (embedder.identity === null) return;
  const sum = embeddedSha256(probeText);
  const [vector] = await embedder.embed([probeText], 'passage', signal);
  if (vector === undefined) throw new Error('an embedder gives one vector a text');
  const [known] = (await vectors.find(embedder.key, [sum])).values();
  if (known === undefined) return vectors.keep(embedder.key, [{ embedded_sha256: sum, vector }]);
  if (known.length === vector.length && cosine(known, vector) >= leastCosine) return;
  throw new PermanentFailure(
    'EmbeddingMismatch',
    `${embedder.identity.model} is another model than the one that the vectors of ${embedder.key} were made with`,
  );
}
