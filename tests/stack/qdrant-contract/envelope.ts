import type { QdrantServer } from '../../support/qdrant.ts';
import { ask } from './ask.ts';
import { expectRefusal, ground } from './ground.ts';

export function describeEnvelope(server: QdrantServer): void {
  describe('the envelope of answers', () => {
    const { ask: askCollection, collection, name } = ground(server);

    test('a result comes with status ok and the time in seconds, as JSON', async () => {
      const answer = await ask(server, 'GET', '/collections');
      expect(answer.headers.get('content-type')).toBe('application/json');
      expect(answer.body).toMatchObject({ status: 'ok', result: { collections: expect.any(Array) as unknown } });
      const { time } = answer.body as { time: number };
      expect(time).toBeGreaterThanOrEqual(0);
      expect(time).toBeLessThan(5);
    });

    test('an error comes with its text and the time, and without a result', async () => {
      const answer = await askCollection('GET', name());
      expect(answer.status).toBe(404);
      expect(answer.headers.get('content-type')).toBe('application/json');
      expect(answer.body).toEqual({
        status: { error: expect.any(String) as string },
        time: expect.any(Number) as number,
      });
    });

    test('a missing collection is named', async () => {
      const missing = name();
      const answer = await askCollection('GET', missing);
      expectRefusal(answer, 404, new RegExp(`^Not found: Collection \`${missing}\` doesn't exist!$`));
    });

    test('JSON that is broken off is a format error', async () => {
      const answer = await askCollection('POST', `${await collection()}/points/scroll`, { body: '{"limit": 1' });
      expectRefusal(answer, 400, /^Format error in JSON body: /);
    });

    test('JSON of a wrong type is a format error', async () => {
      const answer = await askCollection('POST', `${await collection()}/points/scroll`, { body: { limit: 'ten' } });
      expectRefusal(answer, 400, /^Format error in JSON body: /);
    });

    test('a body of nothing is a format error', async () => {
      const answer = await askCollection('POST', `${await collection()}/points/scroll`);
      expectRefusal(answer, 400, /JSON body/);
    });

    test('a body is read whatever its content type says', async () => {
      const headers = { 'content-type': 'text/plain' };
      const answer = await askCollection('POST', `${await collection()}/points/scroll`, { body: '{}', headers });
      expect(answer.status).toBe(200);
    });

    test('a value out of range is a validation error, which names the field', async () => {
      const answer = await askCollection('POST', `${await collection()}/points/scroll`, { body: { limit: 0 } });
      expectRefusal(
        answer,
        422,
        /^Validation error in JSON body: \[.*limit: value 0 invalid, must be 1 or larger.*\]$/,
      );
    });

    test('a format error is said before that there is no such collection', async () => {
      const answer = await askCollection('POST', `${name()}/points/scroll`, { body: { limit: 'ten' } });
      expectRefusal(answer, 400, /^Format error/);
    });

    test('a body over 32 MiB is refused, one below is read', async () => {
      const path = `${await collection()}/points/scroll`;
      const padded = (bytes: number): string => `{"padding":"${'x'.repeat(bytes - 14)}"}`;
      const mebibyte = 1024 * 1024;
      expect((await askCollection('POST', path, { body: padded(31 * mebibyte) })).status).toBe(200);
      expectRefusal(await askCollection('POST', path, { body: padded(33 * mebibyte) }), 400, /payload|limit/i);
    });
  });
}
