import getPort from 'get-port';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { z } from 'zod';
import { writeAtomically } from '../write-atomically.ts';
import type { Home } from './home.ts';
import { StackError } from './stack-error.ts';

const portsSchema = z.object({
  postgres: z.number(),
  temporal: z.number(),
  temporal_ui: z.number(),
  qdrant: z.number(),
  api: z.number(),
});
/** A file of an older version has fewer. */
const fileSchema = z.object({ wanted: portsSchema.partial(), chosen: portsSchema.partial() });

const loopback = '127.0.0.1';

export type Ports = Readonly<z.output<typeof portsSchema>>;

/** Chosen ports, which no other data folder that starts on this machine is given before our servers have them. */
export interface ReservedPorts {
  readonly ports: Ports;
  /** Right before the server starts. May be repeated. */
  free(...names: readonly (keyof Ports)[]): Promise<void>;
  /** Those of servers that are not started here. */
  freeAll(): Promise<void>;
}

/** The ports of last time, else the wanted ones; one that is taken is replaced by another one, and that is said. */
export async function reservePorts(home: Home, wanted: Ports, say: (line: string) => void): Promise<ReservedPorts> {
  const path = join(home.run, 'ports.json');
  const last = (await readLast(path)) ?? { wanted, chosen: wanted };
  const held = new Map<keyof Ports, Server>();

  async function reserve(name: keyof Ports): Promise<number> {
    // Another wish than last time counts for more than what was chosen last time.
    const first = (last.wanted[name] === wanted[name] ? last.chosen[name] : null) ?? wanted[name];
    for (;;) {
      const port = await getPort({ host: loopback, port: [first, ...above(wanted[name])] });
      const holder = await listen(loopback, port).catch(unlessTaken);
      if (holder === null) continue;
      // Whoever asks so early is to ask again, not to wait.
      holder.on('connection', (socket) => socket.destroy());
      held.set(name, holder);
      if (port !== first) say(`port ${first} is taken: ${name} listens on ${port}`);
      return port;
    }
  }

  async function free(...names: readonly (keyof Ports)[]): Promise<void> {
    for (const name of names) {
      const holder = held.get(name);
      if (holder === undefined) continue;
      held.delete(name);
      holder.close();
      await once(holder, 'close');
    }
  }

  const freeAll = (): Promise<void> => free(...held.keys());
  try {
    // One after the other: get-port does not give the same port twice.
    const ports = {
      postgres: await reserve('postgres'),
      temporal: await reserve('temporal'),
      temporal_ui: await reserve('temporal_ui'),
      qdrant: await reserve('qdrant'),
      api: await reserve('api'),
    };
    await writeAtomically(path, JSON.stringify({ wanted, chosen: ports }));
    return { ports, free, freeAll };
  } catch (error) {
    await freeAll();
    throw error;
  }
}

/** Throws StackError where somebody listens on it already. */
export async function mustBeFree(host: string, port: number): Promise<void> {
  const probe = await listen(host, port).catch((error: unknown) => {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'EADDRINUSE' ? 'the port is taken' : (code ?? String(error));
    throw new StackError(
      `The API cannot listen on ${host} port ${port}: ${why}`,
      'Set HOLDFAST_API_HOST and HOLDFAST_API_PORT.',
    );
  });
  probe.close();
}

async function listen(host: string, port: number): Promise<Server> {
  const server = createServer();
  server.listen(port, host);
  await once(server, 'listening');
  return server.unref();
}

function unlessTaken(error: unknown): null {
  if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return null;
  throw error;
}

/** null where there is none, or none that can be read: ports are chosen anew then. */
async function readLast(path: string): Promise<z.output<typeof fileSchema> | null> {
  const text = await readFile(path, 'utf8').catch(() => 'null');
  try {
    return fileSchema.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}

/** Near the usual one, where a person may look for it. */
function above(port: number): number[] {
  return Array.from({ length: 50 }, (_, i) => port + i);
}
