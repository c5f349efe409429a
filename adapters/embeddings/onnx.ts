import { embeddingKey, normalise, type TextKind } from '../../domain/embedding.ts';
import type { BoxLimit } from './box-limit.ts';
import type { Embedder } from './embedder.ts';
import type { LocalModel } from './local-models.ts';
import { createThreadQueue } from './thread-queue.ts';

export interface OnnxSettings {
  readonly model: LocalModel;
  /** Where its files are. */
  readonly folder: string;
  /** adapters/embeddings/onnx-thread.ts, compiled. */
  readonly program: string;
  /** Processor threads of the model. */
  readonly threads: number;
  /** Passages wait for it, questions never. null: there is no limit. */
  readonly boxLimit: BoxLimit | null;
}

/** Passages of one turn: after it another process of the box has its own. */
const turn = 8;

/** A model in a thread of this process. It is loaded with the first text. */
export function createOnnxEmbedder({ model, folder, program, threads, boxLimit }: OnnxSettings): Embedder {
  const { identity } = model;
  const queue = createThreadQueue(program, { folder, model, threads });

  async function embedAll(texts: readonly string[], kind: TextKind, signal: AbortSignal): Promise<Float32Array[]> {
    const whole = texts.map((text) => identity.prefix[kind] + text);
    return (await queue.embed(whole, kind, signal)).map(normalise);
  }

  return {
    identity,
    key: embeddingKey(identity),
    ready: () => queue.ready(),
    close: () => queue.close(),
    async embed(texts, kind, signal) {
      signal.throwIfAborted();
      if (kind === 'query' || boxLimit === null) return embedAll(texts, kind, signal);
      const vectors: Float32Array[] = [];
      for (let at = 0; at < texts.length; at += turn) {
        const some = texts.slice(at, at + turn);
        vectors.push(...(await boxLimit.run(() => embedAll(some, kind, signal), signal)));
      }
      return vectors;
    },
  };
}
