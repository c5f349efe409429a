import type { EmbeddingState } from '../../domain/health.ts';
import type { Embeddings } from './embedder.ts';

const goodForMs = 30_000;
const badForMs = 5_000;

/** Whether texts can be embedded now. A server is asked at most twice a minute while it answers: it may cost something. */
export function createEmbeddingLook(embeddings: Embeddings): () => Promise<EmbeddingState> {
  let seen: { readonly state: EmbeddingState; readonly untilMs: number } | null = null;
  let pending: Promise<EmbeddingState> | null = null;
  const look = async (): Promise<EmbeddingState> => {
    if (embeddings.identity === null) {
      const { key, reason, isAsked } = embeddings;
      return { state: isAsked ? 'none' : 'unavailable', identity: key, reason };
    }
    const state = await embeddings.ready().then(
      (): EmbeddingState => ({ state: 'ok', identity: embeddings.key, reason: null }),
      (error: unknown): EmbeddingState => ({ state: 'unavailable', identity: embeddings.key, reason: reasonOf(error) }),
    );
    seen = { state, untilMs: Date.now() + (state.state === 'ok' ? goodForMs : badForMs) };
    return state;
  };
  return () => {
    if (seen !== null && Date.now() < seen.untilMs) return Promise.resolve(seen.state);
    pending ??= look().finally(() => (pending = null));
    return pending;
  };
}

/** Without addresses and paths: /health needs no token. */
function reasonOf(error: unknown): string {
  const { why, type, message } = error as Error & { why?: unknown; type?: unknown };
  if (typeof why === 'string') return why;
  return typeof type === 'string' ? message : message.replace(/[:,] .*/s, '');
}
