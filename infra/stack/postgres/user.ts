import { readFile, stat } from 'node:fs/promises';
import { StackError } from '../stack-error.ts';

/** As whom a server runs that refuses to run as root. */
export interface User {
  readonly uid: number;
  readonly gid: number;
}

/** undefined: as ourselves. As root it is the owner of the data, else the user that the package of Postgres made. */
export async function postgresUser(data: string): Promise<User | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const user = (await ownerOf(data)) ?? (await packagedUser());
  if (user !== null) return user;
  throw new StackError(
    'Postgres cannot run as root, and there is no user `postgres`',
    'Run Holdfast as an ordinary user, or make that user: useradd --system postgres',
  );
}

/** In a container it needs no name: as root it may also be somebody whom this machine does not know. */
export async function containerUser(data: string): Promise<User> {
  const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
  if (uid !== 0) return { uid, gid };
  return (await ownerOf(data)) ?? (await packagedUser()) ?? (await nobodyElse());
}

async function ownerOf(data: string): Promise<User | null> {
  const { uid, gid } = await stat(data).catch(() => ({ uid: 0, gid: 0 }));
  return uid === 0 ? null : { uid, gid };
}

async function packagedUser(): Promise<User | null> {
  const line = (await readFile('/etc/passwd', 'utf8')).split('\n').find((entry) => entry.startsWith('postgres:'));
  const [, , uid, gid] = line?.split(':') ?? [];
  return uid === undefined || gid === undefined ? null : { uid: Number(uid), gid: Number(gid) };
}

/** The highest number for a user of the system that no user and no group has. */
async function nobodyElse(): Promise<User> {
  const taken = new Set<number>();
  for (const path of ['/etc/passwd', '/etc/group']) {
    for (const line of (await readFile(path, 'utf8')).split('\n')) taken.add(Number(line.split(':')[2]));
  }
  let id = 999;
  while (taken.has(id)) id -= 1;
  return { uid: id, gid: id };
}
