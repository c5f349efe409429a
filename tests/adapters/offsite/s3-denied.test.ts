import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { openS3 } from '../../../adapters/offsite/s3.ts';
import { targetSpecSchema, type S3Spec } from '../../../domain/offsite/spec.ts';

const xml = (root: string, content = ''): string => `<?xml version="1.0"?><${root}>${content}</${root}>`;
const denial = (code: string, message: string): string =>
  xml('DeleteResult', `<Error><Key>a</Key><Code>${code}</Code><Message>${message}</Message></Error>`);

/** A server that answers deletions in batches as it is told to; real ones need a bucket with object lock for it. */
async function serverOf(answer: { status: number; body: string }) {
  const batches: number[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      const isBatch = request.method === 'POST';
      if (isBatch) batches.push(body.split('<Key>').length - 1);
      const { status, body: said } = isBatch ? answer : { status: 200, body: xml('ListMultipartUploadsResult') };
      response.writeHead(status, { 'content-type': 'application/xml' }).end(said);
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const key = { env: 'S3_KEY' };
  const spec = targetSpecSchema.parse({
    ...{ kind: 's3', endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, bucket: 'points' },
    ...{ access_key_id: key, secret_access_key: key },
  }) as S3Spec;
  const store = openS3(spec, { env: { S3_KEY: 'key' }, signal: new AbortController().signal });
  return {
    ...{ batches, store },
    close: async () => {
      await store.close();
      server.close();
    },
  };
}

test('B4 members go in batches of what one request may delete', async () => {
  const { store, batches, close } = await serverOf({ status: 200, body: xml('DeleteResult') });
  await store.removeAll(
    Array.from({ length: 2_001 }, (_, index) => `point/members/${index}`),
    ['point/members', 'point'],
  );
  expect(batches).toEqual([1_000, 1_000, 1]);
  await close();
});

test.each([
  ['an object that is locked', { status: 200, body: denial('AccessDenied', 'Object is WORM protected') }, 'WORM'],
  ['keys that may not delete', { status: 403, body: xml('Error', '<Code>AccessDenied</Code>') }, 'AccessDenied'],
  ['a server without batches', { status: 501, body: xml('Error', '<Code>NotImplemented</Code>') }, 'NotImplemented'],
])('B4 %s: refused, in the words of the server', async (_, answer, words) => {
  const { store, close } = await serverOf(answer);
  const removal = store.removeAll(['point/members/a'], ['point/members', 'point']);
  await expect(removal).rejects.toMatchObject({
    ...{ name: 'OffsiteTrouble', kind: 'refused', message: expect.stringContaining(words) as string },
  });
  await close();
});
