import { setTimeout as sleep } from 'node:timers/promises';
import { CliError } from './cli-error.ts';
import { exitCodes } from './exit-codes.ts';
import { errorMessage, headersOf, isRequest, parseMessage, type Message, type RequestMessage } from './mcp-message.ts';
import { post } from './mcp-post.ts';
import type { Target } from './target.ts';

export interface BridgeOptions {
  readonly input: AsyncIterable<Buffer | string>;
  /** Protocol, a line a message. */
  readonly write: (line: string) => void;
  /** For people. */
  readonly report: (line: string) => void;
  readonly target: () => Target;
}

/** So long what is under way may take once the host has closed stdin. */
const endWithinMs = 1_500;
const [notJson, failed] = [-32_700, -32_000];

/**
 * Carries JSON-RPC lines to /mcp and what is answered back, many at once. Resolves when the input has ended; whatever goes
 * wrong on the way is the answer to the message that it befell.
 */
export async function bridge({ input, write, report, target }: BridgeOptions): Promise<void> {
  const underWay = new Map<unknown, AbortController>();
  const carried = new Set<Promise<void>>();
  /** The version of a handshake of 2025. */
  let agreed: string | null = null;
  const say = (message: object): void => write(`${JSON.stringify(message)}\n`);

  async function ask(request: RequestMessage): Promise<void> {
    const stop = new AbortController();
    const answer: { heard: Message | null } = { heard: null };
    underWay.set(request.id, stop);
    const hear = (message: Message): void => {
      if (message.result === undefined && message.error === undefined) say(message);
      else answer.heard = message;
    };
    try {
      await post(target(), request, headersOf(request, agreed), stop.signal, hear);
      if (answer.heard === null) throw new CliError('The answer broke off', exitCodes.failed, 'call it again');
    } catch (error) {
      if (answer.heard === null) answer.heard = failure(error);
    }
    if (underWay.get(request.id) === stop) underWay.delete(request.id);
    // Who has cancelled wants no answer.
    if (stop.signal.aborted) return;
    if (request.method === 'initialize') agreed = versionOf(answer.heard) ?? agreed;
    // An error that came before the message was understood names none.
    say({ ...answer.heard, id: request.id });
  }

  async function tell(message: Message): Promise<void> {
    try {
      await post(target(), message, headersOf(message, agreed), new AbortController().signal, say);
    } catch (error) {
      report(`holdfast: ${(error as Error).message}`);
    }
  }

  function take(message: Message): void {
    // Over HTTP, to close the request is to cancel it.
    if (message.method === 'notifications/cancelled') {
      underWay.get(message.params?.['requestId'])?.abort();
      return;
    }
    const carrying = (isRequest(message) ? ask(message) : tell(message)).finally(() => carried.delete(carrying));
    carried.add(carrying);
  }

  for await (const line of linesOf(input)) {
    const message = parseMessage(line);
    if (message === null) say(errorMessage(notJson, 'Not one JSON-RPC message'));
    else take(message);
  }
  await Promise.race([Promise.all(carried), sleep(endWithinMs, null, { ref: false })]);
  for (const stop of underWay.values()) stop.abort();
}

/** By newline only: a string in JSON may hold every other line separator. */
async function* linesOf(input: BridgeOptions['input']): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of input) {
    const lines = (rest + (typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true }))).split('\n');
    rest = lines.pop() ?? '';
    yield* lines.filter((line) => line.trim() !== '');
  }
  if (rest.trim() !== '') yield rest;
}

function versionOf({ result }: Message): string | null {
  const version = result?.['protocolVersion'];
  return typeof version === 'string' ? version : null;
}

function failure(error: unknown): Message {
  if (!(error instanceof CliError)) return errorMessage(failed, (error as Error).message);
  const { message, next, problem } = error;
  return errorMessage(failed, `${message}. Next: ${next}`, problem ?? { next });
}
