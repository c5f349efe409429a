import { setTimeout as sleep } from 'node:timers/promises';
import { PermanentFailure } from '../../domain/failures.ts';

export type CaddyMethod = 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE';

/** What Caddy says against a request, in its own words. */
export class CaddyRefusal extends Error {
  constructor(
    readonly status: number,
    readonly reason: string,
  ) {
    super(`Caddy refused (${status}): ${reason}`);
    this.name = 'CaddyRefusal';
  }
}

/** Nobody answers there, or not in time. */
export class CaddyUnreachable extends Error {
  override readonly name = 'CaddyUnreachable';

  constructor(
    message: string,
    /** There was a connection, and it was cut before the answer: nobody knows whether the request was heard. */
    readonly cut: boolean,
  ) {
    super(message);
  }
}

/** A change is answered when Caddy has taken over the new configuration. */
const timeoutMs = 30_000;
/** Caddy puts a new admin listener in the place of the old one with every change: what falls in between is cut off. */
const readAgainMs = [100, 400];
/** Each wait twice as long as the one before: several changes at once are as many new listeners. */
const changeAgainMs = [50, 100, 200, 400, 800, 1_600];
const cutCodes = ['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'];

/** One request to Caddy's admin API; JSON both ways. Throws CaddyRefusal, CaddyUnreachable. */
export async function askCaddy(admin: string, method: CaddyMethod, path: string, body?: unknown): Promise<unknown> {
  const url = new URL(path, admin);
  const { status, text } = method === 'GET' ? await read(url) : await exchange(url, method, body);
  if (status >= 400) throw refusalOf(status, text);
  return text.trim() === '' ? null : (JSON.parse(text) as unknown);
}

/** null where there is no object with this `@id`. */
export async function caddyObject(admin: string, id: string): Promise<unknown> {
  try {
    return await askCaddy(admin, 'GET', `/id/${id}`);
  } catch (error) {
    if (error instanceof CaddyRefusal && /unknown object ID/i.test(error.reason)) return null;
    throw error;
  }
}

/** For a change that begins with looking: after a cut it looks again, and does what is still to be done. */
export async function againWhenCut<T>(change: () => Promise<T>): Promise<T> {
  for (const waitMs of changeAgainMs) {
    try {
      return await change();
    } catch (error) {
      if (!(error instanceof CaddyUnreachable && error.cut)) throw error;
      await sleep(waitMs);
    }
  }
  return change();
}

/** Only what changes nothing is asked again by itself. */
async function read(url: URL): Promise<Exchanged> {
  for (const waitMs of readAgainMs) {
    try {
      return await exchange(url, 'GET', undefined);
    } catch {
      await sleep(waitMs);
    }
  }
  return exchange(url, 'GET', undefined);
}

interface Exchanged {
  readonly status: number;
  readonly text: string;
}

async function exchange(url: URL, method: CaddyMethod, body: unknown): Promise<Exchanged> {
  try {
    const response = await fetch(url, {
      method,
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
      headers: { 'content-type': 'application/json', connection: 'close' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, text: await response.text() };
  } catch (error) {
    const { cause, message } = error as Error & { cause?: { message?: string; code?: string } };
    const reason = cause?.message ?? message;
    const advice = 'Start Caddy with its admin API on, or change traffic.caddy.admin';
    const what = `Caddy's admin API at ${url.origin} does not answer: ${reason}. ${advice}`;
    throw new CaddyUnreachable(what, cutCodes.includes(cause?.code ?? ''));
  }
}

function refusalOf(status: number, text: string): Error {
  const reason = reasonIn(text).slice(0, 500);
  if (/address already in use|listener address repeated/.test(reason)) {
    const advice = 'End what listens there, or give the service another traffic.listen.port';
    return new PermanentFailure('GuardRefused', `port_in_use: Caddy cannot listen there: ${reason}. ${advice}`);
  }
  if (/permission denied|cannot assign requested address/.test(reason)) {
    return new PermanentFailure('GuardRefused', `cannot_listen: ${reason}. Change traffic.listen`);
  }
  return new CaddyRefusal(status, reason);
}

function reasonIn(text: string): string {
  try {
    const { error } = JSON.parse(text) as { error?: unknown };
    return typeof error === 'string' ? error : text;
  } catch {
    return text;
  }
}
