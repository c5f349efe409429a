import { createWriteStream } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Downloads } from './downloads.ts';
import { httpGet, Interrupted, whatHappened } from './http-get.ts';
import { asStackError } from '../stack-error.ts';
import { WayClosed } from '../ways.ts';

const mostInterruptions = 5;
const pauseMs = 500;

export interface Downloaded {
  readonly path: string;
  /** Part of it is from an earlier run. */
  readonly resumed: boolean;
}

/**
 * Fetches a file into `folder`, going on where the last one that worked there was, if the server has the same file still.
 * Throws WayClosed when it cannot be had, StackError when it cannot be kept; what came stays for the next time.
 */
export async function download(
  { url, title }: { readonly url: string; readonly title: string },
  folder: string,
  downloads: Downloads,
): Promise<Downloaded> {
  const { say, signal, limits } = downloads;
  const path = join(folder, 'data');
  const earlier = await sizeOf(path);
  const late = new AbortController();
  const reason = new WayClosed(`${title} took longer than ${limits.totalMs / 60_000} minutes to download`);
  const timer = setTimeout(() => late.abort(reason), limits.totalMs);
  const bounds = AbortSignal.any([signal, late.signal]);
  const progress = { title, received: 0, kept: 0 };
  try {
    for (let interruptions = 1; ; interruptions += 1) {
      progress.received = 0;
      try {
        await fetchRest(url, folder, progress, downloads, bounds);
        return { path, resumed: earlier > 0 && progress.kept > 0 };
      } catch (error) {
        bounds.throwIfAborted();
        const goesOn = error instanceof Interrupted && progress.received > 0 && interruptions <= mostInterruptions;
        if (!goesOn) throw asStackError(error, `downloading ${title}`);
        say(`${error.message}; going on`);
        await sleep(pauseMs, undefined, { signal: bounds });
      }
    }
  } finally {
    clearTimeout(timer);
  }
}

interface Progress {
  readonly title: string;
  /** Bytes of this attempt. */
  received: number;
  /** Bytes that were there before it and are part of the file. */
  kept: number;
}

async function fetchRest(
  url: string,
  folder: string,
  progress: Progress,
  downloads: Downloads,
  bounds: AbortSignal,
): Promise<void> {
  const path = join(folder, 'data');
  const validatorPath = join(folder, 'validator');
  const validator = await readFile(validatorPath, 'utf8').catch(() => '');
  const had = validator === '' ? 0 : await sizeOf(path);
  const idle = startIdleTimer(progress.title, downloads.limits.idleMs);
  try {
    // A server that has another file by now, or does not know ranges, sends all of it.
    const headers: Record<string, string> = had > 0 ? { range: `bytes=${had}-`, 'if-range': validator } : {};
    const answer = await httpGet(url, headers, downloads, AbortSignal.any([bounds, idle.signal]));
    if (had > 0 && isWhole(answer, had)) {
      progress.kept = had;
      return;
    }
    progress.kept = answer.status === 206 && rangeStart(answer) === had ? had : 0;
    const body = accepted(answer, progress);
    if (progress.kept === 0) {
      await writeFile(path, '');
      await writeFile(validatorPath, validatorOf(answer));
    }
    const length = Number(answer.headers.get('content-length') ?? 'NaN');
    const pieces = counted(body, progress, length + progress.kept, idle, downloads);
    await pipeline(pieces, createWriteStream(path, { flags: 'a' }));
    if (progress.received < length) throw new Interrupted(`${progress.title} ended early`);
  } finally {
    idle.stop();
  }
}

/** Nothing is missing after what is there; If-Range has it that it is the same file. */
function isWhole(answer: Response, had: number): boolean {
  return answer.status === 416 && answer.headers.get('content-range') === `bytes */${had}`;
}

function rangeStart(answer: Response): number | null {
  const start = /^bytes (\d+)-/.exec(answer.headers.get('content-range') ?? '')?.[1];
  return start === undefined ? null : Number(start);
}

function accepted(answer: Response, { title, kept }: Progress): ReadableStream<Uint8Array> {
  const { status, body, headers } = answer;
  const host = new URL(answer.url).host;
  if (headers.has('content-encoding')) throw new WayClosed(`${host} sent ${title} in another form than asked for`);
  if (body !== null && (status === 200 || (status === 206 && kept > 0))) return body;
  throw new WayClosed(`${title} cannot be downloaded: ${host} answered ${status}`);
}

/** Only a strong one says that the bytes are the same. */
function validatorOf({ headers }: Response): string {
  const etag = headers.get('etag') ?? '';
  return etag === '' || etag.startsWith('W/') ? (headers.get('last-modified') ?? '') : etag;
}

async function* counted(
  body: ReadableStream<Uint8Array>,
  progress: Progress,
  total: number,
  idle: IdleTimer,
  { limits, say }: Downloads,
): AsyncGenerator<Uint8Array> {
  let told = Date.now();
  try {
    for await (const piece of body) {
      idle.restart();
      progress.received += piece.length;
      const bytes = progress.kept + progress.received;
      if (bytes > limits.mostBytes)
        throw new WayClosed(`${progress.title} is larger than ${megabytes(limits.mostBytes)}`);
      if (Date.now() - told >= limits.progressMs) {
        told = Date.now();
        say(`${progress.title}: ${megabytes(bytes)}${Number.isNaN(total) ? '' : ` of ${megabytes(total)}`}`);
      }
      yield piece;
    }
  } catch (error) {
    if (error instanceof WayClosed) throw error;
    throw new Interrupted(`${progress.title} was interrupted: ${whatHappened(error)}`);
  }
}

interface IdleTimer {
  /** Aborted, with the reason, when nothing came for too long. */
  readonly signal: AbortSignal;
  restart(): void;
  stop(): void;
}

function startIdleTimer(title: string, idleMs: number): IdleTimer {
  const controller = new AbortController();
  const reason = new Interrupted(`${title} was interrupted: nothing came for ${idleMs / 1_000} s`);
  const timer = setTimeout(() => controller.abort(reason), idleMs);
  return { signal: controller.signal, restart: () => void timer.refresh(), stop: () => clearTimeout(timer) };
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}

function megabytes(bytes: number): string {
  return `${(bytes / 1024 ** 2).toFixed(1)} MB`;
}
