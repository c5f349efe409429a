import type { Downloads } from './downloads.ts';
import { WayClosed } from '../ways.ts';

const mostRedirects = 5;

/** The connection was there and went away. */
export class Interrupted extends WayClosed {
  override readonly name = 'Interrupted';
}

/**
 * The answer to a GET, after redirects, of whatever status; `signal` also ends its body. Throws WayClosed when there is none:
 * of a host that could not be reached once at once, without asking it again.
 */
export async function httpGet(
  url: string,
  headers: Readonly<Record<string, string>>,
  { unreachable, limits }: Pick<Downloads, 'unreachable' | 'limits'>,
  signal: AbortSignal,
): Promise<Response> {
  let at = new URL(url);
  for (let hops = 0; hops <= mostRedirects; hops += 1) {
    const known = unreachable.get(at.host);
    if (known !== undefined) throw new WayClosed(known);
    const answer = await ask(at, headers, limits.answerMs, signal).catch((error: unknown) => {
      signal.throwIfAborted();
      const why = `${at.host} cannot be reached: ${whatHappened(error)}`;
      unreachable.set(at.host, why);
      throw new WayClosed(why);
    });
    const target = answer.headers.get('location');
    if (answer.status < 300 || answer.status > 399 || target === null) return answer;
    await answer.body?.cancel();
    const next = new URL(target, at);
    if (next.protocol !== 'https:' && next.protocol !== at.protocol)
      throw new WayClosed(`${at.host} leads to ${next.protocol}//${next.host}, which is not encrypted`);
    at = next;
  }
  throw new WayClosed(`${at.host} leads from one address to the next without an end`);
}

async function ask(
  url: URL,
  headers: Readonly<Record<string, string>>,
  answerMs: number,
  signal: AbortSignal,
): Promise<Response> {
  const waiting = new AbortController();
  const timer = setTimeout(() => waiting.abort(new Error(`no answer in ${answerMs / 1_000} s`)), answerMs);
  try {
    return await fetch(url, {
      // Compressed on the way, a file could not be resumed.
      headers: { 'user-agent': 'holdfast', 'accept-encoding': 'identity', ...headers },
      redirect: 'manual',
      signal: AbortSignal.any([signal, waiting.signal]),
    });
  } finally {
    clearTimeout(timer);
  }
}

/** The reason under what fetch says, which is "fetch failed" for everything. */
export function whatHappened(error: unknown): string {
  const { cause, message } = error as Error;
  const { code, message: reason } = (cause ?? {}) as Partial<NodeJS.ErrnoException>;
  const words: Record<string, string> = {
    ECONNREFUSED: 'the connection is refused',
    ECONNRESET: 'the connection was broken off',
    UND_ERR_SOCKET: 'the connection was broken off',
    ENOTFOUND: 'its name is not known',
    EAI_AGAIN: 'its name cannot be looked up, there is no network',
    ENETUNREACH: 'there is no network',
    EHOSTUNREACH: 'there is no way to it',
    ETIMEDOUT: 'no answer',
  };
  const known = code === undefined ? undefined : words[code];
  if (known !== undefined) return known;
  if (cause === undefined) return message;
  // Of an answer that fetch keeps to itself, as that of a proxy that wants a password, nothing more is known.
  return reason === undefined || reason === '' ? 'its answer cannot be used' : reason;
}
