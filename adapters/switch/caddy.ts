import { setTimeout as sleep } from 'node:timers/promises';
import { PermanentFailure } from '../../domain/failures.ts';
import type { TrafficSpec } from '../../domain/service.ts';
import { againWhenCut, askCaddy, caddyObject, CaddyRefusal, CaddyUnreachable } from './caddy-admin.ts';
import type { TrafficSwitch } from './switch.ts';

interface Handler {
  readonly handler: string;
  readonly upstreams?: readonly { readonly dial?: string }[];
  readonly load_balancing?: object;
}

/** Where a service's reverse_proxy stands in Caddy's configuration. */
interface Place {
  readonly path: string;
  readonly handler: Handler;
}

const drainPeriodMs = 100;
const defaultAdmin = 'http://127.0.0.1:2019';

/**
 * Row D11: an existing Caddy on the same box, by its admin API. Ours is what carries our `@id`: the route `holdfast-<service>`,
 * also one that somebody wrote by hand, of which the first reverse_proxy is pointed and nothing else changed; where there is
 * none, a server `holdfast-<service>` with such a route is made on traffic.listen. Nothing else is ever touched.
 *
 * What Caddy promises: each change (point, and drain once more) is a graceful reload. New requests go to the new target at
 * once and requests under way end where they are. A connection that is opened, or used again, in the very moment of the
 * reload may be reset, so that its client has to try again. Upgraded connections (WebSocket), of all of Caddy's routes, are
 * closed by the reload and not after drain_ms, unless a route says otherwise (stream_close_delay, Caddy 2.7). Who wants
 * neither leaves traffic.caddy out and has Caddy proxy to traffic.listen, where Holdfast's own forwarder is.
 *
 * Until drain() the port before stays in the list as the second choice of the policy `first`, which is never taken: so Caddy
 * goes on counting its requests.
 */
export function createCaddySwitch(): TrafficSwitch {
  async function current(service: string, traffic: TrafficSpec): Promise<number | null> {
    try {
      const place = await placeOf(service, traffic);
      const listens = place !== null && (await listensElsewhere(service, traffic)) === null;
      return listens ? (portsIn(place.handler)[0] ?? null) : null;
    } catch (error) {
      if (error instanceof CaddyUnreachable) return null;
      throw error;
    }
  }

  function point(service: string, traffic: TrafficSpec, port: number): Promise<void> {
    return againWhenCut(() => lookAndPoint(service, traffic, port));
  }

  async function lookAndPoint(service: string, traffic: TrafficSpec, port: number): Promise<void> {
    if ((await placeOf(service, traffic)) === null) await create(service, traffic, port);
    const elsewhere = await listensElsewhere(service, traffic);
    if (elsewhere !== null) await ask(traffic, 'PATCH', `/id/${elsewhere}/listen`, [listenOf(traffic)]);
    const place = await placeOf(service, traffic);
    if (place === null) throw new Error(`Caddy lost the route holdfast-${service} right after it was made`);
    const [now] = portsIn(place.handler);
    if (now !== port) await direct(traffic, place, now === undefined ? [port] : [port, now]);
  }

  /** The whole handler at once: one reload, and at no moment a policy that would use the second choice. */
  async function direct(traffic: TrafficSpec, { path, handler }: Place, ports: readonly number[]): Promise<void> {
    const load_balancing = { ...handler.load_balancing, selection_policy: { policy: 'first' } };
    await ask(traffic, 'PATCH', path, { ...handler, load_balancing, upstreams: ports.map(dial) });
  }

  function drain(service: string, traffic: TrafficSpec, signal: AbortSignal): Promise<{ cut: number }> {
    const deadline = Date.now() + traffic.drain_ms;
    return againWhenCut(() => lookAndDrain(service, traffic, deadline, signal));
  }

  async function lookAndDrain(service: string, traffic: TrafficSpec, deadline: number, signal: AbortSignal) {
    const place = await placeOf(service, traffic);
    const [now, ...before] = place === null ? [] : portsIn(place.handler);
    if (place === null || now === undefined || before.length === 0) return { cut: 0 };
    let left = await underWay(traffic, before);
    while (left > 0 && Date.now() < deadline) {
      await sleep(drainPeriodMs, undefined, { signal });
      left = await underWay(traffic, before);
    }
    signal.throwIfAborted();
    await ask(traffic, 'PATCH', `${place.path}/upstreams`, [dial(now)]);
    // Caddy has no way to end them; they end with the instance.
    return { cut: left };
  }

  /** A route that somebody wrote by hand stays, and leads nowhere. */
  function remove(service: string, traffic: TrafficSpec): Promise<void> {
    return againWhenCut(async () => {
      if ((await caddyObject(adminOf(traffic), serverId(service))) === null) return;
      await ask(traffic, 'DELETE', `/id/${serverId(service)}`);
    });
  }

  return { current, point, drain, remove };
}

async function placeOf(service: string, traffic: TrafficSpec): Promise<Place | null> {
  const route = (await caddyObject(adminOf(traffic), routeId(service))) as { handle?: readonly Handler[] } | null;
  if (route === null) return null;
  const index = (route.handle ?? []).findIndex(({ handler }) => handler === 'reverse_proxy');
  const handler = route.handle?.[index];
  if (handler === undefined) {
    const advice = 'Give it one, or take its @id away and Holdfast makes a server of its own';
    const what = `Caddy's route with the @id ${routeId(service)} has no reverse_proxy among its own handlers`;
    throw new PermanentFailure('GuardRefused', `caddy_route_unusable: ${what}. ${advice}`);
  }
  return { path: `/id/${routeId(service)}/handle/${index}`, handler };
}

/** The `@id` of the server that we made, when traffic.listen was edited since; null also where the server is not ours. */
async function listensElsewhere(service: string, traffic: TrafficSpec): Promise<string | null> {
  const server = (await caddyObject(adminOf(traffic), serverId(service))) as { listen?: readonly string[] } | null;
  if (server === null || (server.listen?.length === 1 && server.listen[0] === listenOf(traffic))) return null;
  return serverId(service);
}

async function create(service: string, traffic: TrafficSpec, port: number): Promise<void> {
  const handler = {
    handler: 'reverse_proxy',
    load_balancing: { selection_policy: { policy: 'first' } },
    upstreams: [dial(port)],
  };
  const server = {
    '@id': serverId(service),
    listen: [listenOf(traffic)],
    automatic_https: { disable: true },
    routes: [{ '@id': routeId(service), handle: [handler] }],
  };
  const config = await ask(traffic, 'GET', '/config/');
  const { method, path, value } = addition(config, ['apps', 'http', 'servers', routeId(service)], server);
  try {
    await ask(traffic, method, path, value);
  } catch (error) {
    // Somebody was faster, perhaps another attempt of ours; the caller looks whose it is.
    if (!(error instanceof CaddyRefusal && /already exists/.test(error.reason))) throw error;
  }
}

/** PUT makes what is not there and never replaces anything, so it has to begin at the first part that is missing. */
function addition(config: unknown, path: readonly string[], value: unknown) {
  let depth = 0;
  let at = config;
  while (isObject(at) && depth < path.length - 1 && isObject(at[path[depth] ?? ''])) at = at[path[depth++] ?? ''];
  const nested = path.slice(depth + 1).reduceRight<unknown>((inner, name) => ({ [name]: inner }), value);
  // Of a Caddy without any configuration.
  if (!isObject(config)) return { method: 'POST', path: '/config/', value: { apps: nested } } as const;
  return { method: 'PUT', path: `/config/${path.slice(0, depth + 1).join('/')}`, value: nested } as const;
}

/** How many requests to these ports are under way. */
async function underWay(traffic: TrafficSpec, ports: readonly number[]): Promise<number> {
  const known = (await ask(traffic, 'GET', '/reverse_proxy/upstreams')) as
    { address: string; num_requests: number }[] | null;
  const addresses = new Set(ports.map((port) => dial(port).dial));
  const ours = (known ?? []).filter(({ address }) => addresses.has(address));
  return ours.reduce((sum, { num_requests }) => sum + num_requests, 0);
}

function ask(traffic: TrafficSpec, ...request: [Parameters<typeof askCaddy>[1], string, unknown?]): Promise<unknown> {
  return askCaddy(adminOf(traffic), ...request);
}

function adminOf({ caddy }: TrafficSpec): string {
  return caddy?.admin ?? defaultAdmin;
}

function routeId(service: string): string {
  return `holdfast-${service}`;
}

/** A dot is in no service's name, so this is no route's id. */
function serverId(service: string): string {
  return `holdfast-${service}.server`;
}

function listenOf({ listen: { host, port } }: TrafficSpec): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function dial(port: number): { readonly dial: string } {
  return { dial: `127.0.0.1:${port}` };
}

/** Those of this box; somebody's own first choice is none, and is replaced. */
function portsIn({ upstreams = [] }: Handler): number[] {
  return upstreams.flatMap((upstream) => {
    const digits = /^127\.0\.0\.1:(\d+)$/.exec(upstream.dial ?? '')?.[1];
    return digits === undefined ? [] : [Number(digits)];
  });
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
