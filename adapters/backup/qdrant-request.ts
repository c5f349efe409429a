import { request as overHttp, type IncomingMessage } from 'node:http';
import { request as overHttps } from 'node:https';
import type { Readable } from 'node:stream';
import { json, text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import type { QdrantServer } from '../qdrant/connect.ts';

/** It will say the same again. */
export class QdrantRefused extends Error {}

interface Asked {
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  /** Beside those of success. */
  readonly alsoFine?: readonly number[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Readable;
}

/**
 * A request about snapshots, which are larger than memory and take longer than the client of Qdrant or `fetch` wait for the first
 * byte of an answer. The answer has to be read or resumed. Throws QdrantRefused.
 */
export async function ask(
  { url, apiKey }: QdrantServer,
  method: string,
  path: string,
  { signal, timeoutMs, alsoFine = [], headers = {}, body }: Asked,
): Promise<IncomingMessage> {
  const target = `${url.replace(/\/+$/, '')}${path}`;
  const request = (target.startsWith('https:') ? overHttps : overHttp)(target, {
    method,
    headers: { ...headers, ...(apiKey === null ? {} : { 'api-key': apiKey }) },
    signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    // A connection that was kept may be closed by the server just then.
    agent: false,
  });
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve).on('error', reject);
  });
  if (body === undefined) request.end();
  // A server that refuses answers before it has read everything; what went wrong with the body is known to whoever gave it.
  else pipeline(body, request).catch(() => undefined);
  const answer = await answered;
  const status = answer.statusCode ?? 0;
  if ((status >= 200 && status < 300) || alsoFine.includes(status)) return answer;
  const said = (await text(answer)).slice(0, 500);
  if (status < 500 || /snapshot|tar archive|checksum/i.test(said)) throw new QdrantRefused(`${status} ${said}`);
  throw new Error(`Qdrant answered ${status} ${said}`);
}

export function jsonOf(answer: IncomingMessage): Promise<unknown> {
  return json(answer);
}
