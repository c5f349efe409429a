export interface HttpFinding {
  readonly healthy: boolean;
  readonly reason: string;
  readonly http_status: number | null;
  readonly reported_build_sha: string | null;
}

const mostBodyBytes = 65_536;
const mostShaLength = 200;

/** One GET: redirects are answers, not followed. The time limit covers the body too. */
export async function probeHttp(url: string, timeoutMs: number, signal?: AbortSignal): Promise<HttpFinding> {
  const limit = AbortSignal.timeout(timeoutMs);
  let http_status: number | null = null;
  try {
    const response = await fetch(url, {
      redirect: 'manual',
      signal: signal === undefined ? limit : AbortSignal.any([limit, signal]),
      // A connection kept from the process before would fail once for no fault of this one.
      headers: { connection: 'close', accept: 'application/json, */*' },
    });
    http_status = response.status;
    const reported_build_sha = buildShaIn(await readBody(response));
    const healthy = http_status >= 200 && http_status < 400;
    return { healthy, reason: healthy ? 'http_ok' : `http_status:${http_status}`, http_status, reported_build_sha };
  } catch {
    signal?.throwIfAborted();
    return { healthy: false, reason: 'http_error', http_status, reported_build_sha: null };
  }
}

/** null when it is too long to be worth looking into. */
async function readBody(response: Response): Promise<string | null> {
  if (response.body === null) return null;
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > mostBodyBytes) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function buildShaIn(body: string | null): string | null {
  if (body === null || !body.trimStart().startsWith('{')) return null;
  try {
    const { build_sha } = JSON.parse(body) as { build_sha?: unknown };
    return typeof build_sha === 'string' && build_sha !== '' ? build_sha.slice(0, mostShaLength) : null;
  } catch {
    return null;
  }
}
