import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { EmbeddingIdentity } from '../../domain/embedding.ts';

export interface ModelFile {
  /** In the model's folder. */
  readonly path: string;
  /** In hex. */
  readonly sha256: string;
}

/** A model that Holdfast knows: only these bytes are ever loaded. */
export interface LocalModel {
  readonly identity: EmbeddingIdentity;
  readonly weights: ModelFile;
  readonly tokenizer: ModelFile;
  readonly tokenizerConfig: ModelFile;
}

const miniLm = {
  model: 'all-MiniLM-L6-v2-int8',
  dimensions: 384,
  pooling: 'mean',
  max_tokens: 256,
  prefix: { passage: '', query: '' },
} as const;

/** all-MiniLM-L6-v2, 8-bit weights, of the model hub (`embeddingModel` in infra/stack/download/upstream.ts). */
export const hubModel: LocalModel = {
  identity: { ...miniLm, sha256: 'afdb6f1a0e45b715d0bb9b11772f032c399babd23bfc31fed1c170afc848bdb1' },
  weights: {
    path: 'onnx/model_quantized.onnx',
    sha256: 'afdb6f1a0e45b715d0bb9b11772f032c399babd23bfc31fed1c170afc848bdb1',
  },
  tokenizer: {
    path: 'tokenizer.json',
    sha256: 'da0e79933b9ed51798a3ae27893d3c5fa4a201126cef75586296df9b4d2c62a0',
  },
  tokenizerConfig: {
    path: 'tokenizer_config.json',
    sha256: '9261e7d79b44c8195c1cada2b453e55b00aeb81e907a6664974b4d7776172ab3',
  },
};

/** The same model, made into 8 bits by somebody else: the Python packages of infra/model/requirements.txt carry it. */
export const packagedModel: LocalModel = {
  identity: { ...miniLm, sha256: '8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6' },
  weights: {
    path: 'model.onnx',
    sha256: '8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6',
  },
  tokenizer: {
    path: 'tokenizer.json',
    sha256: 'be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037',
  },
  tokenizerConfig: {
    path: 'tokenizer_config.json',
    sha256: 'acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b',
  },
};

/** Which of the known ones is in the folder, by the names of its files; what is in them is looked at when they are loaded. */
export function modelIn(folder: string, models: readonly LocalModel[]): LocalModel | null {
  const isThere = ({ path }: ModelFile): boolean => existsSync(join(folder, path));
  return models.find((model) => [model.weights, model.tokenizer, model.tokenizerConfig].every(isThere)) ?? null;
}
