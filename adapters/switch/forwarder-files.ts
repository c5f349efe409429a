import { randomBytes } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

// How the switch and its forwarder talk: the switch writes wanted.json, the forwarder status.json. Forwarders live for
// months, so both sides may be of another build: fields are only ever added. Used by the forwarder: built-ins only.

/** Of the service: every forwarder that is started for it begins here. */
export interface Wanted {
  /** Counts what was asked for; the forwarder says it back. */
  readonly epoch: number;
  readonly port: number;
  /** How long a forwarder that is told to end waits for what is under way. */
  readonly drain_ms: number;
  /** Close what is still open to any other port. */
  readonly cut: boolean;
}

/** Of one forwarder. */
export interface ForwarderStatus {
  readonly listen: { readonly host: string; readonly port: number };
  readonly listening: boolean;
  /** Why it cannot listen: the system's error code. */
  readonly error: string | null;
  readonly epoch: number;
  readonly port: number | null;
  /** Requests and upgraded connections under way to other ports. */
  readonly in_flight_elsewhere: number;
  /** How many of those were closed since `port` is the target. */
  readonly cut: number;
}

export function wantedPath(folder: string): string {
  return join(folder, 'wanted.json');
}

export function statusPath(folder: string, instance: string): string {
  return join(folder, 'instances', instance, 'status.json');
}

/** null: none, or none that can be read. */
export function readWanted(folder: string): Wanted | null {
  const { epoch, port, drain_ms, cut } = readFields(wantedPath(folder));
  if (typeof epoch !== 'number' || typeof port !== 'number' || !(port > 0 && port < 65_536)) return null;
  return { epoch, port, drain_ms: typeof drain_ms === 'number' ? drain_ms : 0, cut: cut === true };
}

/** null: the forwarder has said nothing yet. */
export function readStatus(folder: string, instance: string): ForwarderStatus | null {
  const fields = readFields(statusPath(folder, instance)) as Partial<ForwarderStatus>;
  return fields.listen === undefined ? null : { ...silent, ...fields, listen: fields.listen };
}

const silent = { listening: false, error: null, epoch: 0, port: null, in_flight_elsewhere: 0, cut: 0 };

/** Into a folder that is there; nobody sees half of it. `flush`: what must be there after a power cut. */
export function writeWhole(
  path: string,
  value: Wanted | ForwarderStatus,
  { flush }: { readonly flush: boolean },
): void {
  const temporary = `${path}.${randomBytes(4).toString('hex')}.tmp`;
  writeFileSync(temporary, `${JSON.stringify(value)}\n`, { mode: 0o600, flush });
  renameSync(temporary, path);
}

function readFields(path: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
