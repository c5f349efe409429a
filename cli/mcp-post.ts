import { createParser } from 'eventsource-parser';
import { problemSchema } from '../domain/problem.ts';
import { CliError, problemError } from './cli-error.ts';
import { exitCodes } from './exit-codes.ts';
import { parseMessage, type Message } from './mcp-message.ts';
import type { Target } from './target.ts';

/** The API answers within 15 s, and a stream says every 15 s that it is still there. */
const silenceMs = 35_000;

/** One POST to /mcp. `hear` gets each message of the answer; throws CliError when there is none to be had. */
export async function post(
  { url, token }: Target,
  message: Message,
  headers: Readonly<Record<string, string>>,
  stop: AbortSignal,
  hear: (message: Message) => void,
): Promise<void> {
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(), silenceMs);
  try {
    const response = await fetch(`${url}/mcp`, {
      method: 'POST',
      body: JSON.stringify(message),
      signal: AbortSignal.any([stop, silence.signal]),
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...headers,
      },
    });
    if (isStream(response)) await hearStream(response, hear, () => timer.refresh());
    else hearText(response, await response.text(), hear);
  } catch (error) {
    throw error instanceof CliError ? error : unreachable(url, error);
  } finally {
    clearTimeout(timer);
  }
}

function isStream(response: Response): boolean {
  return response.headers.get('content-type')?.startsWith('text/event-stream') === true;
}

async function hearStream(response: Response, hear: (message: Message) => void, alive: () => void): Promise<void> {
  const parser = createParser({
    onEvent: ({ data }) => {
      const message = parseMessage(data);
      if (message !== null) hear(message);
    },
  });
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    alive();
    parser.feed(decoder.decode(chunk as Uint8Array, { stream: true }));
  }
}

/** A message, or nothing at all, or a problem document of what is in front of MCP: the token, the limits. */
function hearText({ ok, status }: Response, text: string, hear: (message: Message) => void): void {
  const message = parseMessage(text);
  if (message?.jsonrpc !== undefined) {
    hear(message);
    return;
  }
  if (ok) return;
  const problem = problemSchema.safeParse(message);
  if (problem.success) throw problemError(problem.data);
  throw new CliError(`The API answered ${status}`, exitCodes.failed, 'holdfast doctor');
}

function unreachable(url: string, error: unknown): CliError {
  const { name, cause } = error as { name?: string; cause?: { code?: string } };
  const silent = name === 'AbortError' ? `nothing within ${silenceMs / 1_000} s` : undefined;
  const why = silent ?? cause?.code ?? 'the connection broke off';
  return new CliError(`No Holdfast answers at ${url} (${why})`, exitCodes.failed, 'npm start, or holdfast doctor');
}
