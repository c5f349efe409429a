import { readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { PermanentFailure } from '../../domain/failures.ts';
import type { TrafficSpec } from '../../domain/service.ts';
import { labelOf } from '../process/identity.ts';
import { listenersInTheWay } from '../process/listeners.ts';

type Address = TrafficSpec['listen'];

/** Says who holds a port of `traffic.listen` (null: nobody whom we may see), and what to do. */
export function portInUse(address: Address, pid: number | null): PermanentFailure {
  const advice = 'End that program, or give the service another traffic.listen.port';
  return refused(`port_in_use: ${written(address)} is held by ${describe(pid)}. ${advice}`);
}

/** For the error code of a system that does not let a forwarder listen. */
export function refusedListen(address: Address, code: string): PermanentFailure {
  if (code === 'EADDRINUSE') return portInUse(address, listenersInTheWay(address.host, address.port)[0]?.pid ?? null);
  const reasons: Readonly<Record<string, string>> = {
    EACCES: `port_not_allowed: this user may not listen on ${written(address)}. Give the service a traffic.listen.port of 1024 or more`,
    EADDRNOTAVAIL: `address_not_available: this box has no address ${address.host}. Change traffic.listen.host`,
  };
  return refused(reasons[code] ?? `cannot_listen: ${code} on ${written(address)}. Change traffic.listen`);
}

function refused(message: string): PermanentFailure {
  return new PermanentFailure('GuardRefused', message);
}

function written({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function describe(pid: number | null): string {
  if (pid === null) return 'a program of another user or container';
  const service = labelOf(pid, 'HOLDFAST_SERVICE');
  const label = service === null ? '' : `, started by Holdfast for the service ${service}`;
  return `pid ${pid} (${nameOf(pid)}${label})`;
}

function nameOf(pid: number): string {
  try {
    return basename(readlinkSync(`/proc/${pid}/exe`));
  } catch {
    return 'gone meanwhile';
  }
}
