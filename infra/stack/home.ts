import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { freeBytes } from '../../adapters/files/disk.ts';
import type { Config } from '../config.ts';
import { asStackError, StackError } from './stack-error.ts';
import { keptSecret } from '../kept-secret.ts';
import { writeAtomically } from '../write-atomically.ts';

/** The format of the data folder. A folder of a newer one is not touched. */
const format = 1;
/** Postgres keeps paths in buffers of 1024 bytes (MAXPGPATH); below its data folder it needs up to this much. */
const longestHome = 1024 - 160;
const firstTimeBytes = 1024 ** 3;
const laterBytes = 256 * 1024 ** 2;

export interface Home {
  readonly root: string;
  /** This machine's name among the boxes, kept so that a renamed host strands nothing. */
  readonly box: string;
  readonly logs: string;
  readonly run: string;
  readonly secrets: string;
  path(...parts: string[]): string;
}

/** The data folder, made if it is missing. Throws StackError and leaves everything as it was when it cannot be used. */
export async function prepareHome(config: Config): Promise<Home> {
  const { home: root } = config;
  if (Buffer.byteLength(root) > longestHome) {
    throw new StackError(
      `HOLDFAST_HOME is too long for Postgres: ${Buffer.byteLength(root)} bytes, at most ${longestHome}`,
      'Set HOLDFAST_HOME to a shorter path.',
    );
  }
  try {
    // First: nothing is made in the folder of a newer version.
    const known = await readVersion(root);
    await makeFolders(root);
    await needRoom(root, known === null ? firstTimeBytes : laterBytes);
    const box = config.boxIsGiven ? config.box : (known?.box ?? config.box);
    if (known === null) await writeAtomically(join(root, 'version.json'), JSON.stringify({ format, box }));
    const path = (...parts: string[]): string => join(root, ...parts);
    return { root, box, logs: path('logs'), run: path('run'), secrets: path('secrets'), path };
  } catch (error) {
    throw asStackError(error, 'preparing HOLDFAST_HOME');
  }
}

async function makeFolders(root: string): Promise<void> {
  // Root's folder is passed through by the user that Postgres runs as. Folders above are nobody's business.
  const mode = process.getuid?.() === 0 ? 0o711 : 0o700;
  await mkdir(dirname(root), { recursive: true });
  await mkdir(root, { mode }).then(
    () => chmod(root, mode),
    (error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    },
  );
  for (const name of ['logs', 'run', 'secrets', 'services', 'temporal', 'qdrant']) {
    await mkdir(join(root, name), { recursive: true, mode: 0o700 });
  }
  const probe = join(root, 'run', '.writable');
  await writeFile(probe, 'x');
}

async function readVersion(root: string): Promise<{ box: string } | null> {
  const path = join(root, 'version.json');
  if (!existsSync(path)) return null;
  const stored = parseVersion(await readFile(path, 'utf8'));
  if (stored === null) {
    throw new StackError(
      `${path} is damaged: it is not known which version made this data folder`,
      'Put the file back from a backup, or set HOLDFAST_HOME to another folder.',
    );
  }
  if (stored.format > format) {
    throw new StackError(
      `The data folder ${root} was made by a newer Holdfast (format ${stored.format}, this one knows ${format})`,
      'Run that version, or set HOLDFAST_HOME to another folder.',
    );
  }
  return stored;
}

function parseVersion(text: string): { format: number; box: string } | null {
  try {
    const { format, box } = JSON.parse(text) as Record<string, unknown>;
    return typeof format === 'number' && typeof box === 'string' ? { format, box } : null;
  } catch {
    return null;
  }
}

async function needRoom(root: string, bytes: number): Promise<void> {
  const free = await freeBytes(root);
  if (free >= bytes) return;
  const mb = (n: number): number => Math.floor(n / 1024 ** 2);
  throw new StackError(
    `The disk is nearly full: ${mb(free)} MB are free at ${root}, ${mb(bytes)} MB are needed`,
    'Make room, or set HOLDFAST_HOME to a folder on another disk.',
  );
}

/** A secret that is made once and then stays: read again at every start. */
export const secret = (home: Home, name: string): Promise<string> => keptSecret(join(home.secrets, name));
