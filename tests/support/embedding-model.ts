import { packagedModel, type LocalModel } from '../../adapters/embeddings/local-models.ts';
import { createOnnxEmbedder, type OnnxSettings } from '../../adapters/embeddings/onnx.ts';
import type { Embedder } from '../../adapters/embeddings/embedder.ts';
import { loadConfig } from '../../infra/config.ts';
import { findModel } from '../../infra/stack/download/model-weights.ts';
import { packagedModelWay } from '../../infra/stack/model/packages.ts';
import { packagedFiles } from '../../infra/stack/model/ways.ts';
import { compileTree } from './compile.ts';

/** The real embedding model, in the cache that is shared with the user's; fetched by pip at first use. */
export async function realModel(): Promise<{ readonly folder: string; readonly model: LocalModel }> {
  const { cache } = loadConfig();
  const making = { cache, say: () => undefined, signal: new AbortController().signal };
  const found = (await findModel(cache, packagedFiles)) ?? (await packagedModelWay(packagedFiles, making)());
  if (found === null) throw new Error('the embedding model cannot be had');
  return { folder: found.path, model: packagedModel };
}

/** The real model in a thread of this process. Close it. */
export async function realEmbedder(settings: Partial<OnnxSettings> = {}): Promise<Embedder> {
  return createOnnxEmbedder({
    ...(await realModel()),
    program: threadProgram(),
    threads: 1,
    boxLimit: null,
    ...settings,
  });
}

export function threadProgram(): string {
  return compileTree().program('adapters/embeddings/onnx-thread.js');
}
