import { qdrantClient, type QdrantServer } from '../../support/qdrant.ts';
import { ask } from './ask.ts';

export function describeService(server: QdrantServer): void {
  describe('what says what the server is and how it is', () => {
    test('the root names the server and its version, without an envelope', async () => {
      const { status, body } = await ask(server, 'GET', '/');
      expect(status).toBe(200);
      expect(body).toMatchObject({
        title: 'qdrant - vector search engine',
        version: expect.stringMatching(/^1\.\d+\.\d+/) as string,
      });
      expect(body).not.toHaveProperty('result');
    });

    test('the client reads the version', async () => {
      expect((await qdrantClient(server).versionInfo()).version).toMatch(/^\d+\.\d+\.\d+/);
    });

    test.each([
      ['/healthz', 'healthz check passed'],
      ['/livez', 'healthz check passed'],
      ['/readyz', 'all shards are ready'],
    ])('%s answers in plain text', async (path, text) => {
      const answer = await ask(server, 'GET', path);
      expect(answer).toMatchObject({ status: 200, text });
      expect(answer.headers.get('content-type')).toMatch(/^text\/plain/);
    });

    test.each([
      ['GET', '/no-such-route'],
      ['POST', '/'],
      ['DELETE', '/healthz'],
      ['PUT', '/collections'],
      ['POST', '/aliases'],
      ['GET', '/collections/a/points/scroll/more'],
      ['DELETE', '/collections/a/points/query'],
    ] as const)('%s %s, which is no route: 404 without a body', async (method, path) => {
      expect(await ask(server, method, path)).toMatchObject({ status: 404, text: '' });
    });

    test.each(['/', '/collections', '/healthz'])('HEAD %s is no route either', async (path) => {
      expect((await ask(server, 'HEAD', path)).status).toBe(404);
    });

    test('a slash at the end of a path does not matter', async () => {
      expect((await ask(server, 'GET', '/collections/')).status).toBe(200);
    });

    test('what a client accepts gzipped comes gzipped, and is the same', async () => {
      const plain = await ask(server, 'GET', '/', { headers: { 'accept-encoding': 'identity' } });
      const zipped = await ask(server, 'GET', '/', { headers: { 'accept-encoding': 'gzip' } });
      expect(plain.headers.get('content-encoding')).toBeNull();
      expect(zipped.headers.get('content-encoding')).toBe('gzip');
      expect(zipped.text).toBe(plain.text);
    });
  });
}
