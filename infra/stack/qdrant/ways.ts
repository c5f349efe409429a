import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Downloads } from '../download/downloads.ts';
import { writeAtomically } from '../../write-atomically.ts';
import type { Home } from '../home.ts';
import { qdrantContainer } from './container.ts';
import { embeddedQdrant } from './embedded.ts';
import { qdrantProgramWays } from './program.ts';
import { qdrantPart, type QdrantSetup } from './qdrant.ts';
import { StackError } from '../stack-error.ts';
import type { Part } from '../supervised.ts';
import { images } from '../download/upstream.ts';
import { firstFound, type Way } from '../ways.ts';

export interface QdrantPart {
  readonly part: Part;
  /** Where it came from, for people. */
  readonly origin: string;
}

/** Whose data is in the folder: the two do not read each other's. */
type Kind = 'server' | 'embedded';

export interface QdrantSearch {
  readonly setup: QdrantSetup;
  /** As in DOCKER_HOST. */
  readonly dockerHost: string;
  readonly downloads: Downloads;
}

/**
 * A Qdrant for the data of this home: a program, else a container, else Qdrant's engine in a server of our own. Whichever made
 * the data keeps it, so that a network that comes or goes changes nothing. Throws StackError.
 */
export async function findQdrantPart({ setup, dockerHost, downloads }: QdrantSearch): Promise<QdrantPart> {
  const { home } = setup;
  const { say, signal } = downloads;
  const made = await kindOfData(home.root);
  const programs = qdrantProgramWays(downloads).map((way): Way<QdrantPart> => async () => {
    const found = await way();
    if (found === null) return null;
    return { part: qdrantPart(setup, { argv: [found.path], env: {} }), origin: found.origin };
  });
  const container: Way<QdrantPart> = () =>
    qdrantContainer({ ...setup, image: images.qdrant, dockerHost, mayPull: downloads.enabled, say, signal });
  const embedded: Way<QdrantPart> = async () => {
    const { origin, ...program } = await embeddedQdrant(downloads);
    return { part: qdrantPart(setup, program), origin };
  };
  const ways: readonly [Kind, Way<QdrantPart>][] = [
    ...[...programs, container].map((way): [Kind, Way<QdrantPart>] => ['server', way]),
    ['embedded', embedded],
  ];
  const open = ways.filter(([kind]) => made === null || made === kind);
  const remembered = open.map(([kind, way]): Way<QdrantPart> => async () => {
    const found = await way();
    if (found !== null && made === null) await rememberKind(home, kind);
    return found;
  });
  return firstFound(remembered, { say, otherwise: (closed) => noQdrant(made, closed) });
}

function noQdrant(made: Kind | null, closed: readonly string[]): StackError {
  const why = closed.length === 0 ? 'none was found' : closed.join('; ');
  if (made === 'server') {
    return new StackError(
      `No Qdrant can be had for data that a Qdrant server made: ${why}`,
      'Install the `qdrant` command, or start Docker, or set QDRANT_URL to a Qdrant that runs.',
    );
  }
  return new StackError(
    `No Qdrant can be had: ${why}`,
    'Install Python 3.10 or newer with venv (the package `python3-venv`), or the `qdrant` command, or set QDRANT_URL.',
  );
}

/** Whose data is in the data folder `root`; null: there is none yet. */
export async function kindOfData(root: string): Promise<Kind | null> {
  const path = markPath(root);
  if (!existsSync(path)) return null;
  return (await readFile(path, 'utf8')).trim() === 'embedded' ? 'embedded' : 'server';
}

/** Before it is started for the first time. */
async function rememberKind(home: Home, kind: Kind): Promise<void> {
  await mkdir(home.path('qdrant'), { recursive: true, mode: 0o700 });
  await writeAtomically(markPath(home.root), kind);
}

function markPath(root: string): string {
  return join(root, 'qdrant', 'made-by');
}
