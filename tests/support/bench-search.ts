import { openEmbeddings } from '../../adapters/embeddings/open.ts';
import { createSearch, embedderAmong, type Searched } from '../../adapters/search/search.ts';
import { stubDimensions, stubModel } from './stub-embeddings.ts';
import type { WaveBench } from './wave-bench.ts';

/** Asks the project of a bench, as the API does. Each question is embedded by the stub, which counts it. */
export function searchIn({ databases, qdrant, stub, project }: WaveBench) {
  const prefix = { passage: '', query: '' };
  const served = { kind: 'served' as const, url: stub.url, key: null, model: stubModel, dimensions: stubDimensions };
  const embeddings = openEmbeddings({ ...served, prefix }, { program: '', boxLimit: null });
  const search = createSearch({ sql: databases.data, qdrant, embedderOf: embedderAmong(embeddings) });
  const scopes = [{ project, asked: project, resolved_by: 'id' as const }];
  return (query: string, limit: number): Promise<Searched> => search({ query, scopes, limit });
}
