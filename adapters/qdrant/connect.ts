import { QdrantClient } from '@qdrant/js-client-rest';

export interface QdrantServer {
  /** http or https, with the port where it is not that of the scheme; a path is kept. */
  readonly url: string;
  /** null: it asks for none. */
  readonly apiKey: string | null;
}

/** Longer than any request of ours takes on a server that is well; snapshots get more by `timeoutMs`. */
const usualTimeoutMs = 30_000;

/** Connects at the first call. A request that is not answered in time throws QdrantClientTimeoutError. */
export function connectQdrant({ url, apiKey }: QdrantServer, timeoutMs = usualTimeoutMs): QdrantClient {
  const { origin, port, pathname } = new URL(url);
  const prefix = pathname.replace(/\/+$/, '');
  return new QdrantClient({
    url: origin,
    // Left out it would be 6333, though the URL says otherwise.
    port: port === '' ? null : Number(port),
    ...(prefix === '' ? {} : { prefix }),
    // As a header: given as a key, the client prints a warning about HTTP, which is loopback here.
    ...(apiKey === null ? {} : { headers: { 'api-key': apiKey } }),
    timeout: timeoutMs,
    // It would only print; readyQdrant and the health of the API say the version.
    checkCompatibility: false,
  });
}
