import type { SourceAnswer } from '../../domain/deploy/metadata.ts';
import type { ReleaseSource as SourceName } from '../../domain/deploy/words.ts';
import type { ServiceSpec } from '../../domain/service.ts';

/** The sources that only a box can ask; `request` and `registry` need nothing but what the run knows. */
export type BoxSource = Exclude<SourceName, 'request' | 'registry'>;

/** Asked before anything is changed, so what runs now is what a rollback would go back to. */
export interface ReleaseQuestion {
  readonly service: string;
  /** What is deployed; `{port}` is not filled in. */
  readonly spec: ServiceSpec;
  /** The release that is deployed. */
  readonly release_id: string;
  readonly signal: AbortSignal;
}

/**
 * Row D3: somebody who may know which releases a service has. Gives both ids or none, within bounded time; never throws:
 * a source that fails has no answer, and says why in words that hold no secrets.
 */
export interface ReleaseSource {
  readonly name: BoxSource;
  ask(question: ReleaseQuestion): Promise<SourceAnswer>;
}

export type ReleaseIds = NonNullable<SourceAnswer['ids']>;

/** What a source found, or why it has no answer. */
export type Finding =
  { readonly ids: ReleaseIds; readonly reason?: string } | { readonly ids: null; readonly reason: string };

/** Makes a source of a way of asking: what goes wrong there, or takes too long, is no answer. */
export function boundedSource(
  name: BoxSource,
  timeout_ms: number,
  find: (question: ReleaseQuestion) => Promise<Finding>,
): ReleaseSource {
  return {
    name,
    async ask(question) {
      const limit = AbortSignal.timeout(timeout_ms);
      const signal = AbortSignal.any([question.signal, limit]);
      try {
        const found = await Promise.race([find({ ...question, signal }), abortOf(signal)]);
        return { source: name, reason: 'found', ...found };
      } catch (error) {
        const reason = limit.aborted ? `no answer within ${timeout_ms} ms` : inOneLine(error);
        return { source: name, ids: null, reason };
      }
    },
  };
}

/** Not everything that is asked listens to its signal. */
function abortOf(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const end = () => reject(signal.reason as Error);
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
}

function inOneLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/\s+/g, ' ').trim().slice(0, 300);
}
