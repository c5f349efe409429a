import type { Config } from '../../config.ts';
import type { Downloads } from '../download/downloads.ts';
import type { Report } from '../report.ts';
import { findEmbeddingModel } from './ways.ts';

/** The folder of the model that the applications will load, and a line that says which, or why there is none; null: none. */
export async function prepareModel(
  { embeddings }: Config,
  home: string,
  downloads: Downloads,
  report: Report,
): Promise<string | null> {
  const name = 'embeddings';
  if (embeddings.kind === 'served') {
    const line = `${embeddings.model} at ${new URL(embeddings.url).host}`;
    return report.step(
      name,
      () => Promise.resolve(null),
      () => line,
    );
  }
  if (embeddings.kind === 'none') {
    return report.step(
      name,
      () => Promise.resolve(null),
      () => 'none, search by words only',
    );
  }
  if (embeddings.folder !== null) return embeddings.folder;
  const found = await report.step(
    name,
    () => findEmbeddingModel(home, downloads),
    (search) =>
      search.path === null
        ? `none, search by words only: ${search.reason}`
        : `${search.model.identity.model}, ${search.origin}`,
  );
  return found.path;
}
