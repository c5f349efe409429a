import type { ServiceSpec } from '../../domain/service.ts';
import { listenersInTheWay } from '../process/listeners.ts';
import { nameOf } from '../process/identity.ts';
import { programObstacle } from '../process/programs.ts';

/** What could not be started. What a build would have to make first is not looked at. */
export async function programObstacles({ run, probes }: ServiceSpec, searchPath: string): Promise<string[]> {
  const programs = [
    ['run.argv', run.argv],
    ['probes.command.argv', probes.command?.argv],
    ['probes.liveness.command.argv', probes.liveness?.command?.argv],
  ] as const;
  const found = programs.map(async ([field, argv]) => {
    const obstacle = argv?.[0] === undefined ? null : await programObstacle(argv[0], searchPath);
    return obstacle === null ? [] : [`${obstacle}: install it or change ${field}`];
  });
  return (await Promise.all(found)).flat();
}

/** A service that has a port of its own cannot have it while somebody else does. `owns`: is this process of the service? */
export async function portObstacles(
  spec: ServiceSpec,
  service: string,
  owns: (pid: number) => Promise<boolean>,
): Promise<string[]> {
  const found: string[] = [];
  for (const { host, port } of fixedPlaces(spec)) {
    const holder = await strangerOn(host, port, owns);
    if (holder === null) continue;
    const what = `port ${port} is used by ${holder}, which is not an instance of ${service}`;
    found.push(`${what}: stop it or choose another port`);
  }
  return [...new Set(found)];
}

/** The first who listens there and is not of the service, in words. */
async function strangerOn(host: string, port: number, owns: (pid: number) => Promise<boolean>): Promise<string | null> {
  for (const { pid } of listenersInTheWay(host, port)) {
    if (pid === null) return 'a process of another user';
    if (!(await owns(pid))) return `pid ${pid} (${nameOf(pid) ?? 'unknown'})`;
  }
  return null;
}

/** Where the service is asked on this machine, it has to listen. Behind a switch the port is chosen free. */
function fixedPlaces({ probes, traffic }: ServiceSpec): { readonly host: string; readonly port: number }[] {
  const urls = traffic === undefined ? [probes.http?.url, probes.liveness?.http?.url] : [];
  return urls.flatMap((text) => {
    if (text === undefined || text.includes('{port}')) return [];
    const { hostname, port, protocol } = new URL(text);
    const host = loopbackAddress(hostname);
    const standard = protocol === 'https:' ? 443 : 80;
    return host === null ? [] : [{ host, port: port === '' ? standard : Number(port) }];
  });
}

function loopbackAddress(hostname: string): string | null {
  if (hostname === 'localhost') return '127.0.0.1';
  if (hostname === '[::1]') return '::1';
  return /^127\.|^0\.0\.0\.0$/.test(hostname) ? hostname : null;
}
