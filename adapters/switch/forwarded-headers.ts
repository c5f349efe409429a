import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';

/** They concern one connection only (RFC 9110, 7.6.1). Transfer-Encoding stays: it says how long the body is. */
const ofOneConnection = [
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  // Trailers are passed on all the same; announced where there can be none, they are an error to Node.
  'trailer',
  'http2-settings',
];
/** A client may not have these taken away by naming them in Connection. */
const neverNamed = new Set(['host', 'content-length', 'transfer-encoding', 'connection', 'upgrade', 'authorization']);

/** Takes away what is not for the other side; Connection itself is left. */
export function dropConnectionHeaders(headers: IncomingHttpHeaders): void {
  const named = tokensOf(headers.connection).filter((name) => !neverNamed.has(name));
  for (const name of [...ofOneConnection, ...named]) Reflect.deleteProperty(headers, name);
}

export function keepsConnection({ httpVersion, headers }: IncomingMessage): boolean {
  const tokens = tokensOf(headers.connection);
  return !tokens.includes('close') && (httpVersion !== '1.0' || tokens.includes('keep-alive'));
}

/**
 * X-Forwarded-For, -Proto and -Host. A peer on this machine may be a proxy itself, and what it says is kept; anybody else
 * could only be lying about who he is.
 */
export function addForwardedHeaders(request: IncomingMessage): void {
  const { headers, socket } = request;
  const peer = (socket.remoteAddress ?? 'unknown').replace(/^::ffff:(?=\d+\.)/, '');
  const believed = peer === '::1' || peer.startsWith('127.');
  const given = (name: string) => (believed ? headers[name] : undefined);
  const chain = given('x-forwarded-for');
  headers['x-forwarded-for'] = chain === undefined ? peer : `${String(chain)}, ${peer}`;
  headers['x-forwarded-proto'] = given('x-forwarded-proto') ?? 'http';
  const host = given('x-forwarded-host') ?? headers.host;
  if (host === undefined) delete headers['x-forwarded-host'];
  else headers['x-forwarded-host'] = host;
}

/** `GET http://host/path`, as clients of a proxy say it, is the same as `GET /path` with that Host. */
export function makeOriginForm(request: IncomingMessage): void {
  const [, host, path = ''] = /^https?:\/\/([^/?#]+)(.*)$/i.exec(request.url ?? '') ?? [];
  if (host === undefined) return;
  request.headers.host = host;
  request.url = path.startsWith('/') ? path : `/${path}`;
}

export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

function tokensOf(connection: string | undefined): string[] {
  return (connection ?? '').split(',').map((token) => token.trim().toLowerCase());
}
