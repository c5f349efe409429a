import { open } from 'node:fs/promises';
import pLimit from 'p-limit';
import type { ParsedDocument, Quarantined } from '../../domain/document.ts';
import { headBytes, mediaTypeOf } from '../../domain/media-type.ts';
import { startParserChild, type ChildOptions, type Outcome, type ParserChild } from './parser-child.ts';
import type { ParseLimits, ParseRequest } from './request.ts';

export interface ParserPoolOptions extends ChildOptions {
  /** Children at once; each is started when it is first wanted, and kept. */
  readonly workers: number;
  readonly limits?: ParseLimits;
}

export interface ParserPool {
  /**
   * A document as text and blocks, or why it is left out. A process that ends over it is tried a second time, newly
   * started. Rejects when no process can be started, when the file cannot be read, when the pool is closed, and with
   * `signal.reason`.
   */
  parse(request: ParseRequest, signal?: AbortSignal): Promise<ParsedDocument | Quarantined>;
  close(): void;
}

const defaultParseLimits: ParseLimits = {
  fileBytes: 100 * 1024 * 1024,
  textUnits: 10_000_000,
  blocks: 200_000,
};

/** Reads documents in processes of their own, which a hostile one may take down. One pool for a worker. */
export function createParserPool(options: ParserPoolOptions): ParserPool {
  const { workers, limits = defaultParseLimits } = options;
  const turns = pLimit(workers);
  const idle: ParserChild[] = [];
  const busy = new Set<ParserChild>();
  let isClosed = false;

  function checkOpen(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted();
    if (isClosed) throw new Error('The parser pool is closed');
  }

  async function attempt(request: ParseRequest, child: ParserChild, signal?: AbortSignal): Promise<Outcome> {
    busy.add(child);
    try {
      checkOpen(signal);
      return await child.run({ request, limits }, signal);
    } finally {
      busy.delete(child);
      if (child.isFit() && !isClosed) idle.push(child);
      else child.end();
    }
  }

  async function read(request: ParseRequest, signal?: AbortSignal): Promise<ParsedDocument | Quarantined> {
    checkOpen(signal);
    let outcome = await attempt(request, idle.pop() ?? (await startParserChild(options)), signal);
    if (outcome.kind === 'ended') {
      checkOpen(signal);
      outcome = await attempt(request, await startParserChild(options), signal);
    }
    checkOpen(signal);
    if (outcome.kind === 'done') return outcome.result;
    if (outcome.kind === 'failed') throw new Error(`The staged file cannot be read: ${outcome.message}`);
    const { reason, detail } = outcome;
    return { reason, detail, mediaType: await typeOf(request) };
  }

  return {
    parse: (request, signal) => turns(() => read(request, signal)),
    close: () => {
      isClosed = true;
      for (const child of [...idle.splice(0), ...busy]) child.end();
    },
  };
}

/** As the child saw it that cannot say so any more. */
async function typeOf({ path, name, mediaType }: ParseRequest): Promise<string> {
  const file = await open(path);
  try {
    const head = await file.read({ buffer: Buffer.alloc(headBytes), position: 0 });
    return mediaTypeOf(name, head.buffer.subarray(0, head.bytesRead), mediaType);
  } finally {
    await file.close();
  }
}
