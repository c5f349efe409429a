import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A line to a server that can be cut: what a cable, a sleeping host or a provider does to an upload. */
export interface Line {
  readonly port: number;
  /** Bytes that went to the server since the last time this was set. */
  sent: number;
  /** The connection breaks when so many have gone to the server, and the line is down from then on. null: never. */
  cutAfter(bytes: number | null): void;
  down(): void;
  up(): void;
  close(): Promise<void>;
}

export async function openLine(port: number): Promise<Line> {
  const sockets = new Set<Socket>();
  let isUp = true;
  let left: number | null = null;

  const server = createServer((near) => {
    if (!isUp) return void near.resetAndDestroy();
    const far = connect({ host: '127.0.0.1', port });
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket
        .on('error', () => undefined)
        .once('close', () => {
          sockets.delete(socket);
          near.destroy();
          far.destroy();
        });
    }
    near.on('data', (chunk: Buffer) => {
      line.sent += chunk.byteLength;
      if (left !== null && (left -= chunk.byteLength) < 0) line.down();
    });
    near.pipe(far);
    far.pipe(near);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  const line: Line = {
    port: (server.address() as AddressInfo).port,
    sent: 0,
    cutAfter: (bytes) => void (left = bytes),
    down() {
      isUp = false;
      left = null;
      for (const socket of sockets) socket.resetAndDestroy();
    },
    up: () => void (isUp = true),
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
  return line;
}
