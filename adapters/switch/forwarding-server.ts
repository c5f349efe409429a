import { createProxyServer } from 'httpxy';
import { createServer, ServerResponse, type ClientRequest, type IncomingMessage, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { PassThrough, type Duplex } from 'node:stream';
import {
  addForwardedHeaders,
  dropConnectionHeaders,
  hasBody,
  keepsConnection,
  makeOriginForm,
} from './forwarded-headers.ts';
import type { Upstream } from './upstream.ts';

/** Longer than proxies and clients keep theirs, so that it is they who close, and never in the moment of a request. */
const keepAliveMs = 75_000;
/** A service that ignores `Expect: 100-continue` is sent the body after this. */
const continueMs = 1_000;
const safe = new Set(['GET', 'HEAD', 'OPTIONS']);

/** HTTP/1.1 and WebSocket in front of `upstream`. Bodies are streamed; a client that leaves ends its request there too. */
export function createForwardingServer(upstream: Upstream): Server {
  const proxy = createProxyServer();
  const sentTwice = new WeakSet<IncomingMessage>();
  const expecting = new WeakMap<IncomingMessage, PassThrough>();
  const upgraded = new WeakSet<Duplex>();
  const way = () => ({
    target: { protocol: 'http:', host: '127.0.0.1', port: upstream.target() ?? 0 },
    agent: upstream.agent,
  });

  function receive(request: IncomingMessage, response: ServerResponse): void {
    makeOriginForm(request);
    addForwardedHeaders(request);
    const kept = keepsConnection(request);
    dropConnectionHeaders(request.headers);
    // What httpxy makes the answer's; towards the service it is always `close`.
    request.headers.connection = kept ? 'keep-alive' : 'close';
    send(request, response);
  }

  function send(request: IncomingMessage, response: ServerResponse): void {
    const held = expecting.get(request);
    const options = { ...way(), headers: { connection: 'close' }, ...(held === undefined ? {} : { buffer: held }) };
    // Its errors come as events.
    proxy.web(request, response, options).catch(() => undefined);
  }

  /** Also 103: what a service says before its answer. Of the body nothing is asked of the client before the service does. */
  function passOn(sent: ClientRequest, request: IncomingMessage, response: ServerResponse): void {
    if (request.url === '*') sent.path = '*';
    sent.on('information', ({ statusCode, headers }) => {
      if (response.headersSent || response.destroyed) return;
      if (statusCode === 102) response.writeProcessing();
      if (statusCode === 103) writeEarlyHints(response, headers);
    });
    if (hasBody(request)) request.once('end', () => addTrailers(sent, request));
    const held = expecting.get(request);
    if (held === undefined) return;
    sent.setHeader('expect', '100-continue');
    sent.flushHeaders();
    const goOn = () => {
      clearTimeout(limit);
      if (!response.headersSent) response.writeContinue();
      request.pipe(held);
    };
    const limit = setTimeout(goOn, continueMs);
    sent.once('continue', goOn);
    sent.once('response', () => clearTimeout(limit)).once('close', () => clearTimeout(limit));
  }

  function passBack(answer: IncomingMessage, request: IncomingMessage, response: ServerResponse): void {
    dropConnectionHeaders(answer.headers);
    delete answer.headers.connection;
    if (keepsConnection(request)) answer.headers['keep-alive'] = `timeout=${keepAliveMs / 1_000}`;
    if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(answer.statusMessage ?? '')) answer.statusMessage = '';
    answer.once('end', () => addTrailers(response, answer));
  }

  function fail(error: Error, request: IncomingMessage, response: ServerResponse): void {
    if (response.headersSent || response.destroyed) {
      response.destroy();
    } else if (safe.has(request.method ?? '') && !hasBody(request) && !sentTwice.has(request)) {
      // The service closed the connection without an answer: it was being stopped, or was cut off.
      sentTwice.add(request);
      send(request, response);
    } else {
      const { head, body } = problem(upstream, error);
      response.writeHead(head.status, head.headers);
      response.end(request.method === 'HEAD' ? undefined : body);
      // The rest of an upload is read and thrown away: a client that is still sending would not see the answer.
      request.unpipe();
      request.resume();
    }
  }

  function failUpgrade(error: Error, socket: Duplex): void {
    if (upgraded.has(socket) || !socket.writable) return void socket.destroy();
    const { head, body } = problem(upstream, error);
    const lines = Object.entries({ ...head.headers, connection: 'close' }).map(([name, value]) => `${name}: ${value}`);
    socket.end([`HTTP/1.1 ${head.status} ${head.title}`, ...lines, '', body].join('\r\n'));
  }

  /** Two connections from now on, of which neither outlives the other. */
  function tie(sent: ClientRequest, socket: Socket): void {
    sent.once('upgrade', (_answer, service: Socket) => {
      upgraded.add(socket);
      service.once('close', () => socket.end(() => socket.destroy()));
      socket.once('close', () => service.destroy());
    });
    socket.once('close', () => sent.destroy());
  }

  proxy.on('proxyReq', passOn);
  proxy.on('proxyRes', passBack);
  proxy.on('proxyReqWs', (sent, _request, socket) => tie(sent, socket));
  proxy.on('error', (error, request, response) => {
    if (response instanceof ServerResponse && request !== undefined) fail(error, request, response);
    else if (response !== undefined && !(response instanceof ServerResponse)) failUpgrade(error, response);
  });

  // How long a body may take is the service's business.
  const server = createServer({ keepAliveTimeout: keepAliveMs, requestTimeout: 0, keepAlive: true }, receive);
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    delete request.headers.expect;
    expecting.set(request, new PassThrough());
    receive(request, response);
  });
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    if (request.headers.upgrade?.toLowerCase() !== 'websocket' || request.method !== 'GET') {
      receiveAsPlain(server, request, socket, head);
      return;
    }
    makeOriginForm(request);
    addForwardedHeaders(request);
    dropConnectionHeaders(request.headers);
    proxy.ws(request, socket, way(), head).catch(() => undefined);
  });
  return server;
}

/** An offer of another protocol (some clients offer HTTP/2 with every request) may be passed over, but not the request. */
function receiveAsPlain(server: Server, request: IncomingMessage, socket: Socket, head: Buffer): void {
  const lines = [`${request.method} ${request.url} HTTP/${request.httpVersion}`];
  for (let at = 0; at < request.rawHeaders.length; at += 2) {
    const [name = '', value = ''] = request.rawHeaders.slice(at, at + 2);
    if (!/^(upgrade|http2-settings|connection)$/i.test(name)) lines.push(`${name}: ${value}`);
  }
  socket.unshift(Buffer.concat([Buffer.from([...lines, '', ''].join('\r\n'), 'latin1'), head]));
  server.emit('connection', socket);
}

function writeEarlyHints(response: ServerResponse, headers: NodeJS.Dict<string | string[]>): void {
  try {
    const { link, ...others } = headers;
    if (link !== undefined) response.writeEarlyHints({ ...others, link });
  } catch {
    // Node takes only links that it understands; a hint may be left out.
  }
}

function addTrailers(target: ClientRequest | ServerResponse, { trailers }: IncomingMessage): void {
  if (Object.keys(trailers).length > 0 && !target.writableEnded) target.addTrailers(trailers);
}

/** RFC 9457, as the API answers. */
function problem(upstream: Upstream, { message }: Error) {
  const nobody = upstream.target() === null;
  const status = nobody ? 503 : 502;
  const title = nobody ? 'Service Unavailable' : 'Bad Gateway';
  const detail = nobody
    ? 'No release of this service has been given traffic yet'
    : `The service does not answer: ${message}`;
  const body = `${JSON.stringify({ type: 'urn:holdfast:problem:unavailable', title, status, detail })}\n`;
  const headers = {
    'content-type': 'application/problem+json',
    'content-length': String(Buffer.byteLength(body)),
    'cache-control': 'no-store',
    'retry-after': '1',
  };
  return { head: { status, title, headers }, body };
}
