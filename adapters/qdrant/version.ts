import type { QdrantClient } from '@qdrant/js-client-rest';

/** Why a Qdrant cannot be used, in words that hold no address. */
export class QdrantUnavailable extends Error {
  override readonly name = 'QdrantUnavailable';
  constructor(
    message: string,
    /** `key`: it answers, and does not let us in. `other`: it is no Qdrant. `away`: waiting may help. */
    readonly kind: 'key' | 'other' | 'away',
  ) {
    super(message);
  }
}

/** The version of a server that serves, and us: `1.18.3`. Throws QdrantUnavailable. */
export async function qdrantVersion(client: QdrantClient): Promise<string> {
  try {
    // The version is told to anybody; whether our key is right, only what is behind it tells.
    const [root, collections] = await Promise.allSettled([client.versionInfo(), client.getCollections()]);
    if (root.status === 'rejected') throw root.reason;
    const { version } = root.value as { version?: unknown };
    if (typeof version !== 'string') throw new QdrantUnavailable('what answers is not Qdrant', 'other');
    if (collections.status === 'rejected') throw collections.reason;
    return version;
  } catch (error) {
    throw error instanceof QdrantUnavailable ? error : unavailable(error as Failure);
  }
}

interface Failure {
  readonly name: string;
  readonly message: string;
  readonly status?: unknown;
  readonly cause?: unknown;
}

function unavailable({ name, message, status, cause }: Failure): QdrantUnavailable {
  if (status === 401) return new QdrantUnavailable('it refuses the API key', 'key');
  if (status === 403) return new QdrantUnavailable('the API key allows too little', 'key');
  if (status === 404) return new QdrantUnavailable('what answers is not Qdrant', 'other');
  if (typeof status === 'number') return new QdrantUnavailable(`it answers ${status}`, 'away');
  // An abort that the client has not recognised is its timeout too: there is no other signal.
  if (name === 'QdrantClientTimeoutError' || name === 'AbortError')
    return new QdrantUnavailable('no answer in time', 'away');
  const { code } = (cause ?? {}) as { code?: unknown };
  return new QdrantUnavailable(typeof code === 'string' ? code : (message.split('\n')[0] ?? 'no answer'), 'away');
}
