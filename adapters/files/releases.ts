import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, readdir, rename, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { PermanentFailure } from '../../domain/failures.ts';
import { inheritedEnv, type Environment } from '../process/inherited-env.ts';
import { endLabelled } from '../process/run-command.ts';
import { runBuildSteps, type BuildStep } from './build-steps.ts';
import { folderDigest, makeFoldersWritable, makeReadOnly, markerName } from './folder-digest.ts';
import { isInside } from './links.ts';
import { serviceFolder } from './service-folder.ts';

export interface BuildRequest {
  readonly service: string;
  readonly release_id: string;
  /** Puts the source into an empty folder. */
  readonly export: (folder: string) => Promise<void>;
  readonly steps: readonly BuildStep[];
  readonly env: Readonly<Record<string, string>>;
  readonly onProgress?: ((text: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface BuiltRelease {
  readonly folder: string;
  readonly digest: string;
}

interface Marker {
  readonly release_id: string;
  readonly digest: string;
  readonly built_at: string;
}

/** Row D2: a release is a folder at <root>/<service>/releases/<release_id> that is complete, read-only, and never changed. */
export function createReleaseFolders({ root, env }: { readonly root: string; readonly env: Environment }) {
  const releases = (service: string) => join(serviceFolder(root, service), 'releases');

  function folderOf(service: string, release_id: string): string {
    // Of releases that are folders the id is a commit; anything else could lead out of the folder of all of them.
    if (!/^[0-9a-f]{40}$/.test(release_id)) throw new Error(`Not the id of a release: ${JSON.stringify(release_id)}`);
    return join(releases(service), release_id);
  }

  /** Uses what is there if it is intact. The caller sees to it that one build of a service runs at a time. */
  async function build(request: BuildRequest): Promise<BuiltRelease> {
    const { service, release_id, signal } = request;
    const folder = folderOf(service, release_id);
    await endLabelled({ HOLDFAST_BUILD: releases(service) });
    await mkdir(releases(service), { recursive: true });
    await removeLeftOvers(service);
    const standing = await verify(service, release_id, signal);
    if (standing === 'ok') return { folder, digest: (await readMarker(folder))?.digest ?? '' };
    // Not deleted: something may run in it, and somebody may want to see what was changed.
    if (standing === 'changed') await rename(folder, join(releases(service), `.changed-${release_id}-${token()}`));

    const partial = join(releases(service), `.partial-${token()}`);
    try {
      await prepare(request, partial);
      const digest = await seal(partial, release_id, signal);
      await rename(partial, folder);
      await syncFolder(releases(service));
      return { folder, digest };
    } catch (error) {
      await discard(partial);
      throw error;
    }
  }

  async function prepare(request: BuildRequest, partial: string): Promise<void> {
    const { service, release_id, steps, onProgress, signal } = request;
    await mkdir(partial);
    await request.export(partial);
    const logs = join(serviceFolder(root, service), 'builds');
    await mkdir(logs, { recursive: true, mode: 0o700 });
    const stepEnv = { ...inheritedEnv(env), ...request.env, HOLDFAST_BUILD: releases(service) };
    const logPath = join(logs, `${release_id}.log`);
    await runBuildSteps({ steps, folder: partial, env: stepEnv, logPath, onProgress, signal });
    // A compiler's daemon that stayed must not write into the finished release.
    await endLabelled({ HOLDFAST_BUILD: releases(service) });
  }

  /**
   * Hashes everything again: a missing or altered file is found here, not by the service that needs it. `pinned`: the
   * digest that it had when it was proved; what was built anew since then may be something else.
   */
  async function verify(
    service: string,
    release_id: string,
    signal?: AbortSignal,
    pinned?: string,
  ): Promise<'ok' | 'missing' | 'changed'> {
    const folder = folderOf(service, release_id);
    if (!(await exists(folder))) return 'missing';
    const marker = await readMarker(folder);
    if (marker?.release_id !== release_id) return 'changed';
    const digest = await folderDigest(folder, signal).catch(() => null);
    signal?.throwIfAborted();
    return digest === marker.digest && digest === (pinned ?? digest) ? 'ok' : 'changed';
  }

  /** Renamed first, so that a release half removed is never taken for one that is there. */
  async function remove(service: string, release_id: string): Promise<void> {
    const folder = folderOf(service, release_id);
    for (const name of await namesIn(releases(service))) {
      if (name.startsWith(`.changed-${release_id}-`)) await discard(join(releases(service), name));
    }
    if (!(await exists(folder))) return;
    const doomed = join(releases(service), `.partial-${token()}`);
    await rename(folder, doomed);
    await discard(doomed);
  }

  async function removeLeftOvers(service: string): Promise<void> {
    for (const name of await namesIn(releases(service))) {
      if (name.startsWith('.partial-')) await discard(join(releases(service), name));
    }
  }

  /** Where a service keeps what must outlive its releases. */
  async function dataFolder(service: string): Promise<string> {
    const folder = join(serviceFolder(root, service), 'data');
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return folder;
  }

  /** A path within a release; throws when it leads out of it. */
  function pathInside(service: string, release_id: string, path: string): string {
    const folder = folderOf(service, release_id);
    const full = resolve(folder, path);
    if (!isInside(folder, full))
      throw new PermanentFailure('RunSpecInvalid', `${path} is not inside the release folder`);
    return full;
  }

  return { build, verify, remove, dataFolder, pathInside };
}

export type ReleaseFolders = ReturnType<typeof createReleaseFolders>;

async function seal(partial: string, release_id: string, signal: AbortSignal | undefined): Promise<string> {
  const digest = await folderDigest(partial, signal);
  const marker: Marker = { release_id, digest, built_at: new Date().toISOString() };
  await rm(join(partial, markerName), { force: true, recursive: true });
  const handle = await open(join(partial, markerName), 'wx', 0o444);
  try {
    await handle.writeFile(`${JSON.stringify(marker)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await makeReadOnly(partial);
  await syncFolder(partial);
  return digest;
}

async function readMarker(folder: string): Promise<Marker | null> {
  try {
    return JSON.parse(await readFile(join(folder, markerName), 'utf8')) as Marker;
  } catch {
    return null;
  }
}

async function discard(folder: string): Promise<void> {
  if (!(await exists(folder))) return;
  await makeFoldersWritable(folder);
  await rm(folder, { recursive: true, force: true });
}

async function namesIn(folder: string): Promise<string[]> {
  return (await exists(folder)) ? readdir(folder) : [];
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function token(): string {
  return randomBytes(6).toString('hex');
}
