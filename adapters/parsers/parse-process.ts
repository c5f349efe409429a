import { Worker } from 'node:worker_threads';
import { readDocument } from './read-document.ts';
import type { FromChild, ToChild } from './request.ts';

// A child of the parser pool: reads one document after the other, until the pool goes away.

function tell(message: FromChild): void {
  process.send?.(message);
}

async function read({ request, limits }: ToChild): Promise<void> {
  try {
    tell({ kind: 'done', result: await readDocument(request, limits) });
  } catch (error) {
    tell({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
  }
}

// Its parent cannot end what it cannot see any more: a thread of its own looks even while a parser never returns.
new Worker(new URL('./orphan-watch.js', import.meta.url), { env: {} }).unref();
process.on('disconnect', () => process.exit(0));
// Ctrl-C reaches the whole group: what is read is read to its end, or until the pool is closed.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => undefined);
process.on('message', (message) => void read(message as ToChild));
tell({ kind: 'ready' });
