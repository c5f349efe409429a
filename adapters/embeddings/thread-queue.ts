import { Worker } from 'node:worker_threads';
import { PermanentFailure } from '../../domain/failures.ts';
import type { TextKind } from '../../domain/embedding.ts';
import { closeGate, createNativeGate, waitAtGate, type NativeGate } from './native-gate.ts';
import type { ThreadAnswer, ThreadData, ThreadQuestion } from './onnx-thread.ts';
import { unlessAborted } from './unless-aborted.ts';

interface Job {
  readonly text: string;
  readonly signal: AbortSignal;
  readonly settle: (result: { readonly vector: Float32Array } | { readonly error: Error }) => void;
  /** Threads that ended while they had it. */
  lost: number;
}

interface Running {
  readonly worker: Worker;
  readonly gate: NativeGate;
  readonly ended: Promise<void>;
  readonly ready: Promise<void>;
  readonly inHand: Map<number, Job>;
  isReady: boolean;
}

/** Threads that one text may take down before it is given up, so that it holds up no other. */
const mostLost = 2;
/** One that is worked on and one that waits there: this side may be busy when the first is done. */
const mostInHand = 2;

/** One that was at hand when a thread ended is tried alone: it takes no other with it. */
function mostBeside(next: Job, inHand: ReadonlyMap<number, Job>): number {
  return [next, ...inHand.values()].some(({ lost }) => lost > 0) ? 1 : mostInHand;
}

export type ThreadQueue = ReturnType<typeof createThreadQueue>;

/** Texts for one thread, questions before passages. The thread starts with the first text, and again after it ended. */
export function createThreadQueue(program: string, data: Omit<ThreadData, 'gate'>) {
  const waiting: Record<TextKind, Job[]> = { query: [], passage: [] };
  let running: Running | null = null;
  let nextId = 0;

  function start(): Running {
    const gate = createNativeGate();
    const worker = new Worker(program, { workerData: { ...data, gate } satisfies ThreadData, execArgv: [] });
    const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    const beforeExit = (): void => waitAtGate(gate);
    process.once('exit', beforeExit);
    const inHand = new Map<number, Job>();
    let settleReady: (error?: Error) => void = () => undefined;
    const ready = new Promise<void>((resolve, reject) => {
      settleReady = (error) => (error === undefined ? resolve() : reject(error));
    });
    // Whoever waits for it hears of it; nobody has to.
    ready.catch(() => undefined);
    const started: Running = { worker, gate, ended, ready, inHand, isReady: false };
    let why = new Error('The thread of the embedding model ended');
    worker.on('message', (answer: ThreadAnswer) => {
      if ('ready' in answer) {
        started.isReady = true;
        settleReady();
      } else if ('refused' in answer) {
        why = answer.mismatch ? new PermanentFailure('EmbeddingMismatch', answer.refused) : new Error(answer.refused);
        void worker.terminate();
      } else {
        inHand.get(answer.id)?.settle('vector' in answer ? answer : { error: new Error(answer.error) });
        inHand.delete(answer.id);
      }
      feed();
    });
    worker.on('error', (error) => (why = error));
    worker.on('exit', () => {
      process.off('exit', beforeExit);
      if (running === started) running = null;
      settleReady(why);
      afterEnd(started, why);
    });
    return started;
  }

  function afterEnd({ inHand, isReady }: Running, why: Error): void {
    const left = [...inHand.values()];
    // What cannot even be started is not started again by itself.
    if (!isReady)
      for (const job of [...left, ...waiting.query.splice(0), ...waiting.passage.splice(0)]) job.settle({ error: why });
    else {
      for (const job of left) job.lost += 1;
      for (const job of left.filter(({ lost }) => lost >= mostLost)) job.settle({ error: why });
      waiting.passage.unshift(...left.filter(({ lost }) => lost < mostLost));
    }
    feed();
  }

  function feed(): void {
    if (running === null && waiting.query.length + waiting.passage.length === 0) return;
    running ??= start();
    const { worker, inHand, isReady } = running;
    while (isReady) {
      const kind = waiting.query.length > 0 ? 'query' : 'passage';
      const job = waiting[kind][0];
      if (job === undefined || inHand.size >= mostBeside(job, inHand)) break;
      waiting[kind].shift();
      if (job.signal.aborted) continue;
      const id = (nextId += 1);
      inHand.set(id, job);
      worker.postMessage({ id, text: job.text } satisfies ThreadQuestion);
    }
    // One that has nothing to do keeps no process alive.
    if (isReady && inHand.size === 0) worker.unref();
    else worker.ref();
  }

  return {
    /** In the order of the texts; not normalised. Rejects with the reason of the signal, and what was not begun never is. */
    embed(texts: readonly string[], kind: TextKind, signal: AbortSignal): Promise<Float32Array[]> {
      const vectors = texts.map(
        (text) =>
          new Promise<Float32Array>((resolve, reject) => {
            const settle: Job['settle'] = (result) =>
              'vector' in result ? resolve(result.vector) : reject(result.error);
            waiting[kind].push({ text, signal, settle, lost: 0 });
          }),
      );
      feed();
      return unlessAborted(Promise.all(vectors), signal);
    },

    ready: (): Promise<void> => {
      running ??= start();
      return running.ready;
    },

    /** What waits is rejected, and what is worked on. Another text would start it again. */
    async close(): Promise<void> {
      const closing = running;
      running = null;
      const left = [...waiting.query.splice(0), ...waiting.passage.splice(0), ...(closing?.inHand.values() ?? [])];
      for (const job of left) job.settle({ error: new Error('The embedding model was closed') });
      closing?.inHand.clear();
      if (closing === null) return;
      closeGate(closing.gate);
      // Whoever waits for the end is kept alive for it.
      closing.worker.ref();
      closing.worker.postMessage(null satisfies ThreadQuestion);
      await closing.ended;
    },
  };
}
