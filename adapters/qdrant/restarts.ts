import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { QdrantServer } from './connect.ts';

const telemetrySchema = z.object({ result: z.object({ id: z.string(), app: z.object({ startup: z.string() }) }) });

const usualEveryMs = 5_000;
const timeoutMs = 5_000;

/**
 * Calls `restarted` each time that a Qdrant is found which began after the first look: what it acknowledged is there, but a
 * write that was on its way may not be (G9). While it is away it is looked for again. Ends with the signal.
 */
export async function watchRestarts(
  server: QdrantServer,
  restarted: () => Promise<void>,
  { signal, everyMs = usualEveryMs }: { readonly signal: AbortSignal; readonly everyMs?: number },
): Promise<void> {
  // All that were seen: behind one address there may be several.
  const seen = new Set<string>();
  while (!signal.aborted) {
    const start = await startOf(server, signal);
    if (start !== null && !seen.has(start)) {
      if (seen.size > 0) await restarted();
      seen.add(start);
    }
    await sleep(everyMs, undefined, { signal }).catch(() => undefined);
  }
}

/** null: it does not answer, or does not say. */
async function startOf({ url, apiKey }: QdrantServer, signal: AbortSignal): Promise<string | null> {
  try {
    const response = await fetch(`${url.replace(/\/+$/, '')}/telemetry`, {
      ...(apiKey === null ? {} : { headers: { 'api-key': apiKey } }),
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    });
    const { result } = telemetrySchema.parse(await response.json());
    return `${result.id} ${result.app.startup}`;
  } catch {
    return null;
  }
}
