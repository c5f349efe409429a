import { open } from 'node:fs/promises';
import { dirname } from 'node:path/posix';
import { Readable } from 'node:stream';
import SftpClient from 'ssh2-sftp-client';
import { partialPath, type RemoteFile } from '../../domain/offsite/layout.ts';
import type { SftpSpec } from '../../domain/offsite/spec.ts';
import { OffsiteTrouble } from '../../domain/offsite/trouble.ts';
import type { RemoteStore } from './remote-store.ts';
import { freeBytesAt, readAhead, unsureBytes, writeFrom, type SftpLink } from './sftp-transfer.ts';
import { aliveMs, connectMs, hostKeyAlgorithms, pinnedKeys, readIdentity, sshTrouble } from './ssh.ts';

interface Connection {
  readonly client: SftpClient;
  readonly link: SftpLink;
}

/** A folder that an SFTP server gives. One connection, made when it is first needed and anew after it broke. */
export function openSftp(spec: SftpSpec, signal: AbortSignal): RemoteStore {
  const at = (path: string): string => (path === '' ? spec.path : `${spec.path}/${path}`);
  let connecting: Promise<Connection> | null = null;

  async function guarded<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    try {
      connecting ??= connect(spec, signal);
      return await work(await connecting);
    } catch (error) {
      await disconnect();
      signal.throwIfAborted();
      throw troubleOf(error, spec.host);
    }
  }

  async function removeFile(client: SftpClient, path: string): Promise<void> {
    for (const each of [path, partialPath(path)]) {
      if ((await client.exists(at(each))) === '-') await client.delete(at(each), true);
    }
  }

  async function disconnect(): Promise<void> {
    const last = await connecting?.catch(() => null);
    connecting = null;
    await last?.client.end().catch(() => undefined);
  }

  return {
    list: (folder) => guarded(({ client }) => filesIn(client, at(''), folder)),

    open: (path) =>
      guarded(async ({ client, link }) => {
        if ((await client.exists(at(path))) !== '-') return null;
        return Readable.from(guardedChunks(readAhead(link, at(path)), spec.host), { objectMode: false });
      }),

    upload: (file, path, count) =>
      guarded(async ({ client, link }) => {
        const partial = at(partialPath(path));
        await client.mkdir(dirname(partial), true);
        const there = (await client.exists(partial)) === '-' ? (await client.stat(partial)).size : 0;
        const start = there > file.bytes ? 0 : Math.max(0, there - unsureBytes);
        count(start);
        const source = await open(file.path);
        try {
          await writeFrom(link, { source, path: partial, start }, count);
        } catch (error) {
          throw await fullOr(error, link, spec);
        } finally {
          await source.close();
        }
        await client.posixRename(partial, at(path));
      }),

    remove: (path) => guarded(({ client }) => removeFile(client, path)),

    removeAll: (paths, folders) =>
      guarded(async ({ client }) => {
        for (const path of paths) await removeFile(client, path);
        for (const folder of folders) {
          const isEmpty = (await client.exists(at(folder))) === 'd' && (await client.list(at(folder))).length === 0;
          if (isEmpty) await client.rmdir(at(folder));
        }
      }),

    close: disconnect,
  };
}

async function connect(spec: SftpSpec, signal: AbortSignal): Promise<Connection> {
  const privateKey = await readIdentity(spec);
  const pinned = pinnedKeys(spec);
  // What happens to the connection is told to whoever waits for an answer.
  const quiet = (): void => undefined;
  const client = new SftpClient('holdfast', { error: quiet, end: quiet, close: quiet });
  const link = { waiting: new Set<(error: Error) => void>(), isLost: false };
  const lose = (): void => {
    link.isLost = true;
    for (const each of link.waiting) each(new Error('The connection was closed'));
  };
  client.on('close', lose);
  const end = (): void => {
    lose();
    void client.end().catch(quiet);
  };
  signal.addEventListener('abort', end, { once: true });
  const sftp = await client.connect({
    ...{ host: spec.host, port: spec.port, username: spec.user, privateKey },
    algorithms: { serverHostKey: hostKeyAlgorithms(spec) as never },
    hostVerifier: (key: Buffer) => pinned.some((each) => each.equals(key)),
    ...{ readyTimeout: connectMs, keepaliveInterval: aliveMs, keepaliveCountMax: 3 },
  });
  return { client, link: Object.assign(link, { sftp }) };
}

async function filesIn(client: SftpClient, root: string, folder: string): Promise<RemoteFile[]> {
  const path = folder === '' ? root : `${root}/${folder}`;
  if ((await client.exists(path)) !== 'd') return [];
  const files: RemoteFile[] = [];
  for (const { name, type, size } of await client.list(path)) {
    const below = folder === '' ? name : `${folder}/${name}`;
    if (type === 'd') files.push(...(await filesIn(client, root, below)));
    else if (type === '-') files.push({ path: below, bytes: size });
  }
  return files;
}

/** A full disk is a "Failure" like any other in SFTP: the server is asked how much room there is. */
async function fullOr(error: unknown, link: SftpLink, { host, path }: SftpSpec): Promise<unknown> {
  const failure = (error as { code?: unknown }).code === 4 || /no space|quota/i.test(String(error));
  const free = failure ? await freeBytesAt(link, path) : null;
  if (free === null || free > unsureBytes) return error;
  return new OffsiteTrouble('full', `There is no room left at ${host}:${path}`, { cause: error });
}

function troubleOf(error: unknown, host: string): unknown {
  if (error instanceof OffsiteTrouble) return error;
  const message = error instanceof Error ? error.message : String(error);
  if ((error as { code?: unknown }).code === 3 || /: permission denied/i.test(message))
    return new OffsiteTrouble('refused', `${host} does not let us: ${message}`, { cause: error });
  return sshTrouble(message, host, error) ?? error;
}

async function* guardedChunks(chunks: AsyncIterable<Buffer>, host: string): AsyncGenerator<Buffer> {
  try {
    yield* chunks;
  } catch (error) {
    throw troubleOf(error, host);
  }
}
