import Dockerode from 'dockerode';
import type { IncomingMessage } from 'node:http';
import { isNativeError } from 'node:util/types';

/** Docker could not be asked: nothing is known of what it was asked for. Worth another try. */
export class DockerUnreachable extends Error {
  override readonly name = 'DockerUnreachable';

  constructor(
    address: string,
    readonly code: string,
    readonly everAnswered: boolean,
  ) {
    super(`Docker does not answer at ${address} (${code}): is it running, and may this user use its socket?`);
  }
}

export interface DockerAddress {
  /** Default: /var/run/docker.sock. */
  readonly socketPath?: string | undefined;
  /** As in DOCKER_HOST, `unix:///path` or `tcp://host:port`; wins over socketPath. */
  readonly host?: string | undefined;
}

/** The Engine API of one Docker. Connects when it is asked something. */
export interface Docker {
  readonly api: Dockerode;
  /** Waits for an answer, at most `limit_ms`. Throws DockerUnreachable, or what Docker says is wrong (`statusOf`). */
  readonly ask: <T>(request: () => Promise<T>, limit_ms?: number) => Promise<T>;
  /** The answer as it comes. It is the caller's to destroy. Throws as `ask` does; so does reading it (`unreachable`). */
  readonly stream: (
    path: string,
    query: Readonly<Record<string, unknown>>,
    signal?: AbortSignal,
  ) => Promise<IncomingMessage>;
  /** What a broken connection is called; any other error as it is. */
  readonly unreachable: (error: unknown) => unknown;
}

const usualLimitMs = 60_000;

export function createDocker(where: DockerAddress = {}): Docker {
  const { address, options, problem } = readAddress(where);
  // dockerode fills in from DOCKER_HOST what is not given: another Docker than the one that was asked for.
  const none = { ca: undefined, cert: undefined, key: undefined, pathPrefix: '/' };
  const api = new Dockerode({ ...none, ...options } as Dockerode.DockerOptions);
  let everAnswered = false;

  function unreachable(error: unknown): unknown {
    // Not `instanceof Error`: under jest and in other contexts of Node's the errors of sockets are of another realm.
    if (statusOf(error) !== null || !isNativeError(error) || error.name === 'AbortError') return error;
    const { code, message } = error as NodeJS.ErrnoException;
    const broken = /socket hang up|aborted|premature close/i.test(message) ? 'ECONNRESET' : undefined;
    const known = code ?? broken;
    if (known === undefined || !/^(E[A-Z]+|ERR_STREAM_PREMATURE_CLOSE)$/.test(known)) return error;
    return new DockerUnreachable(address, known, everAnswered);
  }

  async function ask<T>(request: () => Promise<T>, limit_ms = usualLimitMs): Promise<T> {
    if (problem !== null) throw new DockerUnreachable(address, problem, false);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const error = new DockerUnreachable(address, `no answer in ${Math.round(limit_ms / 1_000)} s`, everAnswered);
      timer = setTimeout(() => reject(error), limit_ms);
    });
    try {
      const answer = await Promise.race([request(), late]);
      everAnswered = true;
      return answer;
    } catch (error) {
      if (statusOf(error) !== null) everAnswered = true;
      throw unreachable(error);
    } finally {
      clearTimeout(timer);
    }
  }

  function stream(path: string, query: Readonly<Record<string, unknown>>, signal?: AbortSignal) {
    const statusCodes = { 200: true, 400: 'bad parameter', 404: 'not found', 409: 'conflict', 500: 'server error' };
    const order = { path: `${path}?`, method: 'GET', isStream: true, statusCodes, options: { ...query } };
    return ask(
      () =>
        new Promise<IncomingMessage>((resolve, reject) => {
          api.modem.dial({ ...order, ...(signal === undefined ? {} : { abortSignal: signal }) }, (error, answer) =>
            error === null ? resolve(answer as IncomingMessage) : reject(error),
          );
        }),
    );
  }

  return { api, ask, stream, unreachable };
}

function readAddress({ host, socketPath = '/var/run/docker.sock' }: DockerAddress) {
  if (host === undefined) return unixSocket(socketPath);
  const url = URL.canParse(host) ? new URL(host) : null;
  if (url?.protocol === 'unix:') return unixSocket(url.pathname);
  if (url === null || !['tcp:', 'http:'].includes(url.protocol)) {
    const problem = 'Holdfast speaks to unix:///path and tcp://host:port';
    return { ...unixSocket('/nonexistent'), address: host, problem };
  }
  const { hostname, port } = url;
  return {
    address: host,
    options: { host: hostname, port: port === '' ? '2375' : port, protocol: 'http' },
    problem: null,
  };
}

function unixSocket(path: string) {
  const options = { socketPath: path, host: undefined, port: undefined, protocol: 'http' };
  return { address: path, options, problem: null as string | null };
}

/** The HTTP status with which Docker refused; null: it is not Docker's answer. */
export function statusOf(error: unknown): number | null {
  const status = (error as { statusCode?: unknown } | null)?.statusCode;
  return typeof status === 'number' ? status : null;
}

/** What Docker says, without the frame that dockerode puts around it. */
export function reasonOf(error: unknown): string {
  const json = (error as { json?: { message?: unknown } | null } | null)?.json;
  if (typeof json?.message === 'string') return json.message.trim();
  const message = isNativeError(error) ? error.message : String(error);
  return message.replace(/^\(HTTP code \d+\) [^-]* - /, '').trim();
}

/** For what may rightly be gone, or be so already. */
export async function unlessStatus<T, U>(statuses: readonly number[], instead: U, answer: Promise<T>): Promise<T | U> {
  try {
    return await answer;
  } catch (error) {
    if (statuses.includes(statusOf(error) ?? 0)) return instead;
    throw error;
  }
}
