import type { TrafficSpec } from '../../domain/service.ts';

/** The URL of a probe as the world would ask it: by way of where the service's switch listens. */
export function throughSwitch(probeUrl: string, { host, port }: TrafficSpec['listen']): string {
  const url = new URL(probeUrl.replaceAll('{port}', String(port)));
  url.hostname = reachable(host);
  url.port = String(port);
  return url.href;
}

/** What listens everywhere is reached on this machine. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host.includes(':')) return host === '::' ? '[::1]' : `[${host}]`;
  return host;
}
