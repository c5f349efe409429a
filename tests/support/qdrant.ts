import type { QdrantClient } from '@qdrant/js-client-rest';
import { connectQdrant } from '../../adapters/qdrant/connect.ts';

/** The Qdrant that a test talks to: a foreign one by QDRANT_URL, or that of this test run. */
export interface QdrantServer {
  readonly url: string;
  /** null: it asks for none. */
  readonly apiKey: string | null;
  /** A key that may only read; null: not known. */
  readonly readOnlyKey: string | null;
  /** The folder that it may recover from by file, as the server sees it; null: not known. */
  readonly snapshotsPath: string | null;
}

export function qdrantServer(env: NodeJS.ProcessEnv = process.env): QdrantServer {
  const foreign = env['QDRANT_URL'];
  if (foreign !== undefined && foreign !== '') {
    return {
      url: foreign.replace(/\/+$/, ''),
      apiKey: env['QDRANT_API_KEY'] ?? null,
      readOnlyKey: env['QDRANT_READ_ONLY_API_KEY'] ?? null,
      snapshotsPath: env['QDRANT_SNAPSHOTS_PATH'] ?? null,
    };
  }
  const url = env['HOLDFAST_TEST_QDRANT'];
  if (url === undefined)
    throw new Error('HOLDFAST_TEST_QDRANT is not set: run tests through `npm test`, which starts the servers');
  return {
    url,
    apiKey: env['HOLDFAST_TEST_QDRANT_KEY'] ?? null,
    readOnlyKey: env['HOLDFAST_TEST_QDRANT_READ_ONLY_KEY'] ?? null,
    snapshotsPath: env['HOLDFAST_TEST_QDRANT_SNAPSHOTS'] ?? null,
  };
}

/** The client as Holdfast uses it. */
export function qdrantClient(server: Pick<QdrantServer, 'url' | 'apiKey'>): QdrantClient {
  return connectQdrant(server, 60_000);
}
