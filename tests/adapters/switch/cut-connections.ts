import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * An admin API in front of a real one whose connections are cut as by a reload: every second change before it is heard
 * (`unheard`), or when it has been done and not been answered (`unanswered`); or every connection there is (`always`).
 */
export async function cutConnections(admin: string, how: 'unheard' | 'unanswered' | 'always') {
  let changes = 0;
  const server = createServer((asked, answer) => {
    const isChange = asked.method !== 'GET';
    if (isChange) changes += 1;
    const isCut = how === 'always' || (isChange && changes % 2 === 1);
    if (isCut && how !== 'unanswered') return void asked.socket.resetAndDestroy();
    const headers = { ...asked.headers, host: new URL(admin).host };
    const passed = request(new URL(asked.url ?? '/', admin), { method: asked.method ?? 'GET', headers }, (said) => {
      if (isCut) return void said.resume().once('end', () => asked.socket.resetAndDestroy());
      answer.writeHead(said.statusCode ?? 500, said.headers);
      said.pipe(answer);
    });
    passed.once('error', () => asked.socket.resetAndDestroy());
    asked.pipe(passed);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    admin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** How many came. */
    changes: () => changes,
    async stop() {
      server.close();
      await once(server, 'close');
    },
  };
}
