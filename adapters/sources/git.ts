import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { PermanentFailure } from '../../domain/failures.ts';
import { localPathOf, type GitSource as GitSpec } from '../../domain/project/source.ts';
import type { SkipList, SourceItem } from '../../domain/source/item.ts';
import { pathObstacle } from '../../domain/source/path.ts';
import type { AllowedRoots } from '../files/allowed-roots.ts';
import { createBlobs } from '../git/blobs.ts';
import { createGitSource } from '../git/source.ts';
import { listTree, type TreeEntry } from '../git/tree.ts';
import type { Environment } from '../process/inherited-env.ts';
import { allowedFolder } from './allowed-folder.ts';
import type { SourceReader } from './reader.ts';
import { createWanted, type Wanted } from './wanted.ts';

export interface GitPlace {
  readonly home: string;
  readonly env: Environment;
  readonly allowed: AllowedRoots;
  readonly project: string;
}

interface Fetching {
  readonly signal: AbortSignal;
  readonly heartbeat: () => void;
}

/**
 * A ref of a repository, out of a mirror of its own at <home>/git/<name>/source.git; no working tree is ever made. `fetching`
 * null: what was listed is read again, from the mirror as it is. Throws SourceUnreachable, SourceRefused, RefUnknown.
 */
export async function openGit(spec: GitSpec, place: GitPlace, fetching: Fetching | null): Promise<SourceReader> {
  const local = localPathOf(spec);
  if (local !== null) await allowedFolder(local, place.allowed);
  const { env } = place;
  const root = join(place.home, 'git');
  const source = createGitSource({ root, env });
  const mirror = mirrorName(place.project, spec.name);
  const gitDir = source.mirrorOf(mirror);
  if (fetching !== null) await source.fetch(mirror, spec.url, fetching);
  const commit = fetching === null ? null : (await source.resolve(mirror, spec.ref).catch(refUnknown(spec))).commit;
  const blobs = createBlobs({ root, env, gitDir });
  const select = createSelect(spec);
  return {
    ...{ revision: commit, kept: 'when_staged', parallel: 1, mayBeEmpty: false },

    async *list(skips, signal) {
      if (commit === null) throw new Error('The repository was not fetched');
      for await (const entry of listTree({ root, env, gitDir, commit }, signal)) {
        const item = select(entry, skips);
        if (item !== null) yield item;
      }
    },

    async open({ version }, _known, { signal }) {
      const content = version === null ? null : await blobs.open(version, signal);
      if (content === null) return null;
      return { content, read: async () => ({ version, modifiedAt: null, mediaType: null }) };
    },

    close: async () => blobs.close(),
  };
}

/** Each source has a mirror of its own: only one run at a time may fetch into one. */
function mirrorName(project: string, source: string): string {
  return `s${createHash('sha256').update(`${project}/${source}`).digest('hex').slice(0, 40)}`;
}

function refUnknown({ name, ref }: GitSpec): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof PermanentFailure)) throw error;
    throw new PermanentFailure(error.type, `The repository of the source ${name} has no branch, tag or commit ${ref}`);
  };
}

function createSelect(spec: GitSpec): (entry: TreeEntry, skips: SkipList) => SourceItem | null {
  const wanted = createWanted(spec);
  const linkTo = createLinkTo(spec);
  return ({ mode, oid, bytes, path }, skips) => {
    const obstacle = obstacleOf({ mode, bytes, path }, wanted, spec.limits.max_file_bytes);
    if (obstacle !== null && obstacle !== 'not_wanted') skips.add(obstacle, path ?? '(not UTF-8)');
    if (obstacle !== null || path === null) return null;
    return { path, bytes, modifiedAt: null, uri: linkTo(path), version: oid };
  };
}

function obstacleOf({ mode, bytes, path }: Omit<TreeEntry, 'oid'>, wanted: Wanted, mostBytes: number) {
  if (path === null) return 'name_not_utf8';
  if (mode === '160000') return wanted.folder(path) ? 'submodule' : 'not_wanted';
  if (mode === '120000') return wanted.folder(path) ? 'link' : 'not_wanted';
  if (!wanted.file(path)) return 'not_wanted';
  if (pathObstacle(path) !== null) return 'path_not_plain';
  return bytes !== null && bytes > mostBytes ? 'too_large' : null;
}

/** Where hosts of repositories show a file of a ref; null where the repository is on no web server. */
function createLinkTo({ url, ref }: GitSpec): (path: string) => string | null {
  if (!/^https?:\/\//.test(url)) return () => null;
  const base = new URL(url);
  [base.username, base.password, base.search, base.hash] = ['', '', '', ''];
  const repository = base.href.replace(/\/*(\.git)?\/*$/, '');
  return (path) => `${repository}/blob/${encodePath(ref)}/${encodePath(path)}`;
}

function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}
