import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { probeText } from '../../adapters/embeddings/probe.ts';

export const stubDimensions = 16;
export const stubModel = 'words-of-a-text';

export interface StubEmbeddings {
  readonly url: string;
  /** How many texts it was asked for since it was last asked, the sentence that tells one model from another apart. */
  asked(): number;
  /** From now on it answers with this status; null: well again. */
  answerWith(status: number | null): void;
  /** From now on it takes no text with this word in it; null: any text. */
  refuse(word: string | null): void;
  close(): Promise<void>;
}

/**
 * The embeddings API of a server that knows nothing but words: texts that share words are near each other. A stand-in for a
 * model where a test is about something else, and counts what was embedded.
 */
export async function startStubEmbeddings(): Promise<StubEmbeddings> {
  let count = 0;
  let failing: number | null = null;
  let refused: string | null = null;
  const server = createServer((request, response) => {
    void answer();
    async function answer(): Promise<void> {
      const { input } = (await json(request)) as { input: string[] };
      const status = failing ?? (input.some((text) => refused !== null && text.includes(refused)) ? 400 : null);
      if (status !== null) {
        response.writeHead(status).end('{}');
        return;
      }
      count += input.filter((text) => text !== probeText).length;
      const data = input.map((text, index) => ({ object: 'embedding', index, embedding: vectorOf(text) }));
      response
        .setHeader('content-type', 'application/json')
        .end(JSON.stringify({ object: 'list', model: stubModel, data }));
    }
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    asked() {
      const since = count;
      count = 0;
      return since;
    },
    answerWith(status) {
      failing = status;
    },
    refuse(word) {
      refused = word;
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function vectorOf(text: string): number[] {
  const vector = new Array<number>(stubDimensions).fill(0.01);
  for (const word of text.toLowerCase().match(/\p{L}+/gu) ?? []) {
    const [slot = 0, sign = 0] = createHash('sha1').update(word).digest();
    vector[slot % stubDimensions] = (vector[slot % stubDimensions] ?? 0) + (sign % 2 === 0 ? 1 : -1);
  }
  return vector;
}
