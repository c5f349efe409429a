import { fork, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { ParsedDocument, Quarantined } from '../../domain/document.ts';
import type { FromChild, ToChild } from './request.ts';

/** How one document ended: read, not readable where it lies, or with the process that read it. */
export type Outcome =
  | { readonly kind: 'done'; readonly result: ParsedDocument | Quarantined }
  | { readonly kind: 'failed'; readonly message: string }
  | ({ readonly kind: 'ended' } & Pick<Quarantined, 'reason' | 'detail'>);

export interface ParserChild {
  /** One document at a time. Rejects with `signal.reason` when it aborts; the child is ended then, as after `ended`. */
  run(message: ToChild, signal?: AbortSignal): Promise<Outcome>;
  /** Whether it is as good for the next document as a new one. */
  isFit(): boolean;
  end(): void;
}

export interface ChildOptions {
  /** The compiled adapters/parsers/parse-process.js. */
  readonly program: string;
  /** Resident memory of one child, all in all. */
  readonly memoryMb: number;
  /** Of one document. */
  readonly timeoutMs: number;
}

const startMs = 30_000;
const memoryEveryMs = 50;
const mostDocuments = 1_000;

/** Starts a child that is ready for its first document. Rejects with an Error when there is none to be had. */
export async function startParserChild(options: ChildOptions): Promise<ParserChild> {
  const child = fork(options.program, [], {
    // V8 gives up cleanly at its own limit; what lies outside of its heap is watched from here. No parser evaluates code.
    execArgv: [
      `--max-old-space-size=${Math.floor(options.memoryMb * 0.75)}`,
      '--disallow-code-generation-from-strings',
      '--no-warnings',
    ],
    // None of the worker's: neither its secrets nor its options for Node.
    env: {},
    cwd: '/',
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  child.on('error', () => undefined);
  await ready(child);
  return parserChild(child, options);
}

function ready(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    const refuse = (why: string) => {
      child.kill('SIGKILL');
      reject(new Error(`No parser process can be started: ${why}`));
    };
    const timer = setTimeout(() => refuse('it was not ready in time'), startMs);
    child.once('error', (error) => refuse(error.message));
    child.once('exit', (code, signal) => refuse(`it ended with ${signal ?? code ?? 'no code'}`));
    child.once('message', () => {
      child.removeAllListeners('exit');
      resolve();
    });
    for (const event of ['error', 'exit', 'message']) child.once(event, () => clearTimeout(timer));
  });
}

function parserChild(child: ChildProcess, { memoryMb, timeoutMs }: ChildOptions): ParserChild {
  let documents = 0;
  let isOver = false;
  child.once('exit', () => (isOver = true));

  async function run(message: ToChild, signal?: AbortSignal): Promise<Outcome> {
    documents += 1;
    const limits = watchLimits(child, memoryMb, timeoutMs);
    const onAbort = () => child.kill('SIGKILL');
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      const outcome = await exchange(child, message, memoryMb);
      signal?.throwIfAborted();
      return outcome.kind === 'ended' ? { ...outcome, ...limits.exceeded() } : outcome;
    } finally {
      limits.stop();
      signal?.removeEventListener('abort', onAbort);
    }
  }

  return {
    run,
    isFit: () => !isOver && child.connected && documents < mostDocuments && residentMb(child.pid) < memoryMb / 2,
    end: () => void child.kill('SIGKILL'),
  };
}

/** Ends the child at the first limit that it reaches. */
function watchLimits(child: ChildProcess, memoryMb: number, timeoutMs: number) {
  let exceeded: Pick<Quarantined, 'reason' | 'detail'> | null = null;
  const end = (reason: Quarantined['reason'], detail: string) => {
    exceeded ??= { reason, detail };
    child.kill('SIGKILL');
  };
  const timer = setTimeout(() => end('timed_out', `it took longer than ${timeoutMs} ms`), timeoutMs);
  const memory = setInterval(() => {
    if (residentMb(child.pid) > memoryMb) end('memory_exceeded', tooMuch(memoryMb));
  }, memoryEveryMs);
  return {
    exceeded: () => exceeded,
    stop: () => {
      clearTimeout(timer);
      clearInterval(memory);
    },
  };
}

function exchange(child: ChildProcess, message: ToChild, memoryMb: number): Promise<Outcome> {
  return new Promise((resolve) => {
    const onMessage = (answer: FromChild) => {
      if (answer.kind === 'ready') return;
      child.off('exit', onExit);
      child.off('message', onMessage);
      resolve(answer);
    };
    const onExit = (code: number | null, signal: NodeJS.Signals | null) => {
      child.off('message', onMessage);
      resolve({ kind: 'ended', ...endOf(code, signal, memoryMb) });
    };
    if (child.exitCode !== null || child.signalCode !== null) {
      onExit(child.exitCode, child.signalCode);
      return;
    }
    child.once('exit', onExit);
    child.on('message', onMessage);
    // What cannot be sent any more comes to its end.
    child.send(message, () => undefined);
  });
}

/** Of a child that nobody here ended. V8 aborts where its heap is full. */
function endOf(
  code: number | null,
  signal: NodeJS.Signals | null,
  memoryMb: number,
): Pick<Quarantined, 'reason' | 'detail'> {
  if (signal === 'SIGABRT' || signal === 'SIGTRAP') return { reason: 'memory_exceeded', detail: tooMuch(memoryMb) };
  if (signal === 'SIGKILL') return { reason: 'killed', detail: 'the process that read it was killed from outside' };
  return { reason: 'crashed', detail: `the process that read it ended with ${signal ?? code ?? 'no code'}` };
}

function tooMuch(memoryMb: number): string {
  return `it took more than ${memoryMb} MiB of memory`;
}

/** 0 where the system has no /proc; V8's own limit is all there is then. */
function residentMb(pid: number | undefined): number {
  try {
    const status = readFileSync(`/proc/${pid ?? 0}/status`, 'latin1');
    return Number(/^VmRSS:\s*(\d+) kB/m.exec(status)?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}
