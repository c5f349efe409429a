import { healthSchema } from '../../domain/health.ts';

const patienceMs = 5_000;

/** What the API says of itself and of the stores behind it; null: none answers, as when it is not running. */
export async function askHealth(
  url: string,
  signal: AbortSignal,
): Promise<{ readonly ok: boolean; readonly reason: string } | null> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]);
  const answer = await fetch(new URL('/health', url), { signal: limit }).catch((error: unknown) => {
    signal.throwIfAborted();
    if ((error as Error).name === 'TimeoutError') return 'late' as const;
    return null;
  });
  if (answer === null) return null;
  if (answer === 'late') return { ok: false, reason: `no answer in ${patienceMs} ms` };
  const health = healthSchema.safeParse(await answer.json().catch(() => null));
  // Another program on that port says nothing of ours.
  if (!health.success) return null;
  const { postgres, qdrant } = health.data.servers;
  const away = Object.entries({ postgres, qdrant }).filter(([, { state }]) => state !== 'ok');
  const reasons = away.map(([name, { reason }]) => `${name}: ${reason ?? 'unavailable'}`);
  return { ok: away.length === 0, reason: away.length === 0 ? 'well' : reasons.join('; ') };
}
