import type { EmbeddingSettings } from '../../domain/embedding.ts';
import type { BoxLimit } from './box-limit.ts';
import { createLexicalOnly, type Embeddings } from './embedder.ts';
import { hubModel, modelIn, packagedModel } from './local-models.ts';
import { createOnnxEmbedder } from './onnx.ts';
import { createServedEmbedder } from './openai.ts';

export interface EmbeddingDeps {
  /** adapters/embeddings/onnx-thread.ts, compiled. */
  readonly program: string;
  readonly boxLimit: BoxLimit | null;
}

/** What there is of what was asked for. Without a model there is search by words, never something in a model's place. */
export function openEmbeddings(settings: EmbeddingSettings, deps: EmbeddingDeps): Embeddings {
  if (settings.kind === 'none') return createLexicalOnly('HOLDFAST_EMBEDDINGS is none');
  if (settings.kind === 'served') {
    const { url, key, model, dimensions, prefix } = settings;
    const identity = { model, sha256: null, dimensions, pooling: 'served', max_tokens: null, prefix } as const;
    return createServedEmbedder({ url, key, identity });
  }
  const { folder, threads } = settings;
  const model = folder === null ? null : modelIn(folder, [hubModel, packagedModel]);
  if (folder === null || model === null)
    return createLexicalOnly('there is no embedding model on this machine; holdfast doctor says why', {
      isAsked: false,
    });
  return createOnnxEmbedder({ ...deps, folder, model, threads });
}
