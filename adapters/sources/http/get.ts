import { request as plainRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { request as secureRequest } from 'node:https';
import { pipeline, type Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { PermanentFailure } from '../../../domain/failures.ts';
import { publicLookup, refusePrivateLiteral } from './public-lookup.ts';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Decoded; without a limit of its own. To be read to its end or destroyed. */
  readonly body: Readable;
}

export interface GetOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly allowPrivate: boolean;
  readonly signal: AbortSignal;
  /** Of one answer, its body included. */
  readonly timeoutMs: number;
  /** Before the second try; each further one waits twice as long. */
  readonly retryMs: number;
}

const mostRedirects = 5;
const tries = 4;
const longestWaitMs = 60_000;

/**
 * A GET of a page, redirects followed, each of them checked like the first address. What may pass (no connection, 429, a
 * fault of the server) is tried again; throws when it does not pass. Every other status is an answer.
 */
export async function get(url: string, options: GetOptions): Promise<Answer> {
  for (let attempt = 1; ; attempt += 1) {
    options.signal.throwIfAborted();
    const answer = await follow(new URL(url), options).catch((error: unknown) => {
      options.signal.throwIfAborted();
      if (error instanceof PermanentFailure || attempt === tries) throw unreachable(url, error);
      return null;
    });
    if (answer !== null && !mayPass(answer.status)) return answer;
    answer?.body.destroy();
    if (answer !== null && attempt === tries) throw new Error(`${url} answers ${answer.status}`);
    await sleep(waitMs(answer, options.retryMs * 2 ** (attempt - 1)), undefined, { signal: options.signal });
  }
}

async function follow(from: URL, options: GetOptions): Promise<Answer> {
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(options.timeoutMs)]);
  let at = from;
  for (let hops = 0; hops <= mostRedirects; hops += 1) {
    const message = await ask(at, { ...options, signal });
    const { statusCode: status = 0, headers } = message;
    const target = headers.location;
    if (status < 300 || status > 399 || status === 304 || target === undefined)
      return { status, headers, body: decoded(message) };
    message.destroy();
    at = nextHop(at, target);
  }
  throw new PermanentFailure('SourceUnreachable', `${from.href} leads from one address to the next without an end`);
}

function nextHop(at: URL, target: string): URL {
  const next = URL.canParse(target, at.href) ? new URL(target, at.href) : null;
  const plain = next?.protocol === 'http:' && at.protocol === 'http:';
  if (next !== null && (next.protocol === 'https:' || plain)) return next;
  throw new PermanentFailure('SourceRefused', `${at.href} leads to where it is not followed: ${target.slice(0, 200)}`);
}

function ask(url: URL, { headers, allowPrivate, signal }: GetOptions): Promise<IncomingMessage> {
  if (!allowPrivate) refusePrivateLiteral(url);
  const [send, lookup] = [
    url.protocol === 'https:' ? secureRequest : plainRequest,
    allowPrivate ? {} : { lookup: publicLookup },
  ];
  return new Promise((resolve, reject) => {
    const sent = send(url, {
      ...lookup,
      signal,
      agent: false,
      headers: { 'user-agent': 'holdfast', accept: '*/*', 'accept-encoding': 'gzip, br', ...headers },
    });
    sent.once('error', reject).once('response', resolve).end();
  });
}

function decoded(message: IncomingMessage): Readable {
  const encoding = (message.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  if (encoding === 'identity' || encoding === '') return message;
  const decoder = { gzip: createGunzip, 'x-gzip': createGunzip, deflate: createInflate, br: createBrotliDecompress }[
    encoding
  ];
  if (decoder !== undefined) return pipeline(message, decoder(), () => undefined);
  message.destroy();
  throw new PermanentFailure(
    'SourceUnreachable',
    `An answer is encoded as ${encoding.slice(0, 50)}, which was not asked for`,
  );
}

function mayPass(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || status >= 500;
}

function waitMs(answer: Answer | null, usual: number): number {
  const asked = Number(answer?.headers['retry-after']) * 1_000;
  return Math.min(longestWaitMs, asked > 0 ? asked : usual);
}

function unreachable(url: string, error: unknown): unknown {
  if (error instanceof PermanentFailure) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  return new Error(`${url} cannot be read: ${code ?? message}`);
}
