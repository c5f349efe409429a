import getPort from 'get-port';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeAtomically, type Home } from './home.ts';

const preferred = { postgres: 54320, temporal: 7233, temporal_ui: 8233, api: 8420 };

export type Ports = Readonly<Record<keyof typeof preferred, number>>;

/** The ports of last time, else the usual ones; one that is taken is replaced by another one, and that is said. */
export async function choosePorts(
  home: Home,
  wanted: { readonly api: number },
  say: (line: string) => void,
): Promise<Ports> {
  const path = join(home.run, 'ports.json');
  const usual = { ...preferred, api: wanted.api };
  const last = existsSync(path) ? (JSON.parse(await readFile(path, 'utf8')) as { usual: Ports; chosen: Ports }) : null;
  // Another wish than last time counts for more than what was chosen last time.
  const before = last !== null && last.usual.api === usual.api ? last.chosen : usual;
  const chosen: Record<string, number> = {};
  for (const [name, port] of Object.entries(before)) {
    const free = await getPort({ host: '127.0.0.1', port: [port, ...above(usual[name as keyof Ports])] });
    if (free !== port) say(`port ${port} is taken: ${name} listens on ${free}`);
    chosen[name] = free;
  }
  const ports = chosen as unknown as Ports;
  await writeAtomically(path, JSON.stringify({ usual, chosen: ports }));
  return ports;
}

/** Near the usual one, where a person may look for it. */
function above(port: number): number[] {
  return Array.from({ length: 50 }, (_, i) => port + i);
}
