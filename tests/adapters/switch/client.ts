import { request, type IncomingMessage, type RequestOptions } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../support/box.ts';

export interface Answer {
  readonly status: number;
  /** One character a byte. */
  readonly body: string;
  readonly headers: IncomingMessage['headers'];
}

/** The head of an upgrade to WebSocket, behind its first line. */
export const upgrade = [
  'Host: x',
  'Connection: keep-alive, Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version: 13\r\n\r\n',
].join('\r\n');

export interface WebSocketClient {
  readonly socket: Socket;
  readonly said: () => string;
  readonly closed: () => boolean;
}

/** Somebody who uses the service by its `listen.port`. */
export function makeClient(port: number) {
  function ask(path: string, options: RequestOptions = {}, body?: Buffer): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port, path, ...options }, (response) => {
        const { statusCode: status = 0, headers } = response;
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => resolve({ status, headers, body: Buffer.concat(chunks).toString('latin1') }));
      });
      sent.on('error', reject);
      sent.end(body);
    });
  }

  function open(): { readonly socket: Socket; readonly said: () => string } {
    let said = '';
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => (said += chunk.toString('latin1')));
    return { socket, said: () => said };
  }

  /** Writes bytes on a connection of its own; answers with all that comes back until it is closed, or for so long. */
  async function raw(text: string, ms = 5_000): Promise<string> {
    const { socket, said } = open();
    socket.write(text, 'latin1');
    // A reset is an end like any other here.
    const closed = new Promise((resolve) => socket.once('close', resolve));
    await Promise.race([closed, sleep(ms, undefined, { ref: false })]);
    socket.destroy();
    return said();
  }

  async function openWebSocket(): Promise<WebSocketClient> {
    const { socket, said } = open();
    let closed = false;
    socket.on('close', () => (closed = true));
    socket.write(`GET /ws HTTP/1.1\r\n${upgrade}`);
    await until(() => said().includes('\r\n\r\n'));
    return { socket, said, closed: () => closed };
  }

  return { ask, open, raw, openWebSocket };
}
