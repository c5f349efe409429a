import type Dockerode from 'dockerode';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { reasonOf, unlessStatus, type Docker } from '../../../adapters/docker/connection.ts';
import { finished } from '../../../adapters/docker/images.ts';
import { Untrusted } from '../download/checksum-record.ts';
import { writeAtomically } from '../../write-atomically.ts';
import type { Home } from '../home.ts';
import { WayClosed } from '../ways.ts';

interface ImageSearch {
  readonly docker: Docker;
  readonly home: Pick<Home, 'path'>;
  /** False: what is not on this machine is not to be had. */
  readonly mayPull: boolean;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

const longestPullMs = 20 * 60_000;

/**
 * The image that `reference` meant when it was used first (images.txt in the data folder), pulled if it is not here: a tag
 * that means another one by now is not followed. Returns its id. Throws WayClosed when it cannot be had.
 */
export async function ensureImage(reference: string, search: ImageSearch): Promise<string> {
  const path = search.home.path('images.txt');
  const known = await readKnown(path);
  const digest = digestIn(reference) ?? known[reference] ?? null;
  const image = digest === null ? await byTag(reference, search) : await byDigest(reference, digest, path, search);
  if (known[reference] === undefined) {
    const all = { ...known, [reference]: digest ?? contentOf(image, reference) };
    await writeAtomically(
      path,
      Object.entries(all)
        .map((line) => line.join(' '))
        .join('\n'),
    );
  }
  return image.Id;
}

async function byTag(reference: string, search: ImageSearch): Promise<Dockerode.ImageInspectInfo> {
  // Without a tag Docker would pull them all.
  const tagged = /:[^/]+$/.test(reference) ? reference : `${reference}:latest`;
  const here = await find(tagged, search);
  if (here !== null) return here;
  const problem = await pull(tagged, search);
  const pulled = problem === null ? await find(tagged, search) : null;
  if (pulled !== null) return pulled;
  throw new WayClosed(`The image ${reference} cannot be pulled: ${problem ?? 'it was not there afterwards'}`);
}

async function byDigest(reference: string, digest: string, path: string, search: ImageSearch) {
  const exact = `${repositoryOf(reference)}@${digest}`;
  const here = (await find(exact, search)) ?? (await find(digest, search));
  if (here !== null) return here;
  const problem = await pull(exact, search);
  const pulled = problem === null ? await find(exact, search) : null;
  if (pulled !== null) return pulled;
  const tag = await find(reference, search);
  if (tag !== null || /not found|unknown/i.test(problem ?? '')) {
    throw new Untrusted(
      `the image ${reference} is not what it was at its first use, ${digest}, and is refused; to use what it is now, remove its line from ${path}`,
    );
  }
  throw new WayClosed(`The image ${exact} cannot be pulled: ${problem ?? 'it was not there afterwards'}`);
}

function find(name: string, { docker: { api, ask } }: ImageSearch): Promise<Dockerode.ImageInspectInfo | null> {
  return unlessStatus(
    [404],
    null,
    ask(() => api.getImage(name).inspect()),
  );
}

/** Why it could not be; null: it is here. */
async function pull(name: string, { docker, mayPull, say, signal }: ImageSearch): Promise<string | null> {
  if (!mayPull) return 'downloads are off';
  say(`pulling the image ${name}, once`);
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(longestPullMs)]);
  try {
    const answer = await docker.ask(() => docker.api.pull(name, { abortSignal: bounded }), longestPullMs);
    await finished(docker, answer, bounded);
    return null;
  } catch (error) {
    signal.throwIfAborted();
    return reasonOf(error);
  }
}

/** What the registry calls it; its id where it comes from none. */
function contentOf({ Id, RepoDigests }: Dockerode.ImageInspectInfo, reference: string): string {
  const names = (RepoDigests as string[] | null) ?? [];
  const name = names.find((each) => repositoryOf(each) === plain(repositoryOf(reference)));
  return name?.split('@')[1] ?? Id;
}

function digestIn(reference: string): string | undefined {
  return reference.split('@')[1];
}

/** Without its tag and digest. */
function repositoryOf(reference: string): string {
  return reference.replace(/@.*$/, '').replace(/:[^/:]+$/, '');
}

/** As Docker lists it: what may be left out is. */
function plain(repository: string): string {
  return repository.replace(/^docker\.io\//, '').replace(/^library\//, '');
}

/** A line each: the reference and its digest. */
async function readKnown(path: string): Promise<Readonly<Record<string, string>>> {
  const text = existsSync(path) ? await readFile(path, 'utf8') : '';
  const lines = text.split('\n').map((line) => line.split(' '));
  return Object.fromEntries(
    lines.flatMap(([reference = '', digest = '']) => (digest === '' ? [] : [[reference, digest]])),
  );
}
