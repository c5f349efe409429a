import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Embedder } from '../../adapters/embeddings/embedder.ts';

interface Question {
  readonly model: string;
  readonly input: readonly string[];
}

/** What befalls a request instead of an answer; undefined: it is answered. */
export type Fate = (response: ServerResponse) => void;

export interface EmbeddingServer {
  readonly url: string;
  /** Every request, in the order in which it came. */
  readonly asked: (Question & { readonly authorization: string | null })[];
  /** Requests that were there at the same time, at most. */
  most(): number;
  /** Of the requests that come next, one each. */
  readonly fates: Fate[];
  close(): Promise<void>;
}

/** A server of /v1/embeddings as OpenAI describes it, that embeds with the model of `embedder`. */
export async function startEmbeddingServer(embedder: Embedder): Promise<EmbeddingServer> {
  const asked: EmbeddingServer['asked'] = [];
  const fates: Fate[] = [];
  let now = 0;
  let most = 0;
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    most = Math.max(most, (now += 1));
    response.once('close', () => (now -= 1));
    const question = JSON.parse(await text(request)) as Question;
    asked.push({ ...question, authorization: request.headers.authorization ?? null });
    const fate = request.url === '/v1/embeddings' ? fates.shift() : noSuchPath;
    if (fate !== undefined) {
      fate(response);
      return;
    }
    const vectors = await embedder.embed(question.input, 'passage', new AbortController().signal);
    // In another order than asked for: the index counts.
    const data = vectors.map((vector, index) => ({ object: 'embedding', index, embedding: [...vector] })).reverse();
    respond(response, 200, {
      object: 'list',
      model: question.model,
      data,
      usage: { prompt_tokens: 0, total_tokens: 0 },
    });
  };
  const server = createServer((request, response) => void answer(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/embeddings`,
    ...{ asked, fates },
    most: () => most,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const noSuchPath: Fate = (response) => respond(response, 404, {});

export function respond(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}
