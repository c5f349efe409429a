import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { SocketAddress } from 'node:net';
import { endianness } from 'node:os';

/** A TCP socket that listens, and a process that holds it. */
export interface Listener {
  /** null: of another user, or of another container; not ours to see. */
  readonly pid: number | null;
  /** An IPv4 or IPv6 address without brackets; `0.0.0.0` and `::` are all of them. */
  readonly address: string;
}

const listening = '0A';

/** Who listens on this TCP port now, on whatever address. One entry for each process that holds the socket. */
export function listenersOn(port: number): readonly Listener[] {
  const sockets = [...socketsOn('/proc/net/tcp', port), ...socketsOn('/proc/net/tcp6', port)];
  if (sockets.length === 0) return [];
  const holders = holdersOf(new Set(sockets.map(({ inode }) => inode)));
  return sockets.flatMap(({ address, inode }) => (holders.get(inode) ?? [null]).map((pid) => ({ pid, address })));
}

/** Those because of which nobody else can listen on `host` (an IP address) and `port`. */
export function listenersInTheWay(host: string, port: number): readonly Listener[] {
  const wanted = plain(host);
  return listenersOn(port).filter(({ address }) => overlap(plain(address), wanted));
}

function overlap(one: string, other: string): boolean {
  const everything = (address: string) => address === '::';
  const everyIpv4 = (address: string) => address === '0.0.0.0';
  const ipv4 = (address: string) => !address.includes(':');
  if (one === other || everything(one) || everything(other)) return true;
  return (everyIpv4(one) && ipv4(other)) || (everyIpv4(other) && ipv4(one));
}

interface ListeningSocket {
  readonly address: string;
  readonly inode: string;
}

function socketsOn(table: string, port: number): ListeningSocket[] {
  const lines = readQuietly(table)?.split('\n').slice(1) ?? [];
  return lines.flatMap((line) => {
    const fields = line.trim().split(/\s+/);
    const [address = '', hexPort = ''] = (fields[1] ?? '').split(':');
    const inode = fields[9];
    if (fields[3] !== listening || inode === undefined || parseInt(hexPort, 16) !== port) return [];
    return [{ address: readAddress(address), inode }];
  });
}

/** Words of 32 bits as the machine has them in memory, in hexadecimal. */
function readAddress(hex: string): string {
  const bytes = Buffer.from(hex, 'hex');
  if (endianness() === 'LE') bytes.swap32();
  if (bytes.length === 4) return [...bytes].join('.');
  const groups = Array.from({ length: 8 }, (_each, index) => bytes.readUInt16BE(2 * index).toString(16));
  return plain(groups.join(':'));
}

/** The shortest way to write it; an IPv4 address in IPv6's clothes as what it is. */
function plain(address: string): string {
  if (!address.includes(':')) return address;
  const short = new SocketAddress({ address, family: 'ipv6' }).address;
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(short)?.[1] ?? short;
}

function holdersOf(inodes: ReadonlySet<string>): Map<string, number[]> {
  const holders = new Map<string, number[]>();
  for (const pid of namesIn('/proc').filter((name) => /^\d+$/.test(name))) {
    const held = new Set(namesIn(`/proc/${pid}/fd`).map((fd) => inodeOf(`/proc/${pid}/fd/${fd}`)));
    for (const inode of held) {
      if (inode !== null && inodes.has(inode)) holders.set(inode, [...(holders.get(inode) ?? []), Number(pid)]);
    }
  }
  return holders;
}

function inodeOf(descriptor: string): string | null {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(descriptor))?.[1] ?? null;
  } catch {
    return null; // Closed meanwhile.
  }
}

/** Unreadable: another user's, or gone meanwhile. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function readQuietly(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
