import type { QdrantServer } from '../../support/qdrant.ts';

/** An answer as it came, for what the client cannot express. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Undefined when the body is not JSON. */
  readonly body: unknown;
}

export interface Request {
  /** Sent as JSON; a string or a form goes as it is. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

type Method = 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE' | 'HEAD';

/** One request, with the server's key unless `headers` has one of its own. */
export async function ask(server: QdrantServer, method: Method, path: string, request: Request = {}): Promise<Answer> {
  const headers = new Headers(headersOf(server));
  if (request.body !== undefined && !(request.body instanceof FormData))
    headers.set('content-type', 'application/json');
  for (const [name, value] of Object.entries(request.headers ?? {})) headers.set(name, value);
  const response = await fetch(`${server.url}${path}`, { method, headers, ...bodyOf(request.body) });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, body: parsed(text) };
}

/** What a request needs to be let in. */
export function headersOf({ apiKey }: Pick<QdrantServer, 'apiKey'>): Record<string, string> {
  return apiKey === null ? {} : { 'api-key': apiKey };
}

/** The error of an envelope; undefined when there is none. */
export function errorOf({ body }: Answer): string | undefined {
  return (body as { status?: { error?: string } } | undefined)?.status?.error;
}

/** The result of an envelope. */
export function resultOf({ body }: Answer): unknown {
  return (body as { result?: unknown } | undefined)?.result;
}

function bodyOf(body: unknown): { body?: string | FormData } {
  if (body === undefined) return {};
  return { body: typeof body === 'string' || body instanceof FormData ? body : JSON.stringify(body) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
