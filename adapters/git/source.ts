import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PermanentFailure } from '../../domain/failures.ts';
import { refuseEscapingLinks } from '../files/links.ts';
import { serviceFolder } from '../files/service-folder.ts';
import type { Environment } from '../process/inherited-env.ts';
import { endLabelled } from '../process/run-command.ts';
import { createGit, type GitOptions } from './git.ts';
import { isPermanent, parseRemote, type Remote } from './remote.ts';

export interface ResolvedRef {
  readonly commit: string;
  /** null: a tag, a commit, or a HEAD that is on no branch. */
  readonly branch: string | null;
  readonly committed_at: string;
}

type LongOptions = Pick<GitOptions, 'signal' | 'heartbeat'>;

/** The git source of each service, mirrored at <root>/<service>/source.git. */
export function createGitSource({ root, env }: { readonly root: string; readonly env: Environment }) {
  const git = createGit(root, env);
  const mirrorOf = (service: string) => join(serviceFolder(root, service), 'source.git');

  /** Brings the mirror up to the source. Heals what a killed fetch left; the caller sees to it that only one runs. */
  async function fetch(service: string, gitUrl: string, options: LongOptions = {}): Promise<void> {
    const mirror = mirrorOf(service);
    const remote = parseRemote(gitUrl);
    await endLabelled({ HOLDFAST_GIT: mirror });
    await endLabelled({ HOLDFAST_GIT: `${mirror}.partial` });
    if (await isUsable(mirror)) {
      await removeStaleLocks(mirror);
      const problem = await update(mirror, remote, options);
      if (problem === null) return;
      if (!/corrupt|bad object|missing blob|missing tree|unable to read|invalid sha1|bad config/i.test(problem)) {
        throw unreachable(remote, problem);
      }
    }
    await mirrorAnew(mirror, remote, options);
  }

  /** Fetched whole under another name first, so that source.git is either not there or complete. */
  async function mirrorAnew(mirror: string, remote: Remote, options: LongOptions): Promise<void> {
    const partial = `${mirror}.partial`;
    await rm(partial, { recursive: true, force: true });
    await mkdir(partial, { recursive: true, mode: 0o700 });
    await must(partial, ['init', '--quiet', '--bare', '--template=']);
    const problem = await update(partial, remote, options);
    if (problem !== null) throw unreachable(remote, problem);
    await rm(mirror, { recursive: true, force: true });
    await rename(partial, mirror);
  }

  /** Returns what went wrong between here and the source; null when all is well. */
  async function update(mirror: string, remote: Remote, options: LongOptions): Promise<string | null> {
    const transport = [...(await credentialArgs(mirror, remote)), '-c', `remote.source.url=${remote.url}`];
    const asked = await git(mirror, [...transport, 'ls-remote', '--symref', 'source', 'HEAD'], options);
    if (asked.exit_code !== 0) return asked.stderr;
    const branch = /^ref: (refs\/heads\/\S+)\s+HEAD$/m.exec(asked.stdout)?.[1] ?? null;
    const hasHead = /^[0-9a-f]{40,}\s+HEAD$/m.test(asked.stdout);

    const refs = ['+refs/heads/*:refs/heads/*', '+refs/tags/*:refs/tags/*', ...(hasHead ? [`+HEAD:${headRef}`] : [])];
    const flags = ['--prune', '--force', '--no-tags', '--update-head-ok', '--progress'];
    const fetched = await git(mirror, [...transport, 'fetch', ...flags, 'source', ...refs], options);
    if (fetched.exit_code !== 0) return fetched.stderr;
    if (branch !== null) await must(mirror, ['symbolic-ref', 'HEAD', branch]);
    else if (hasHead) await must(mirror, ['update-ref', '--no-deref', 'HEAD', headRef]);
    return null;
  }

  /** What a branch, tag, commit id (may be short) or HEAD means in the mirror, in that order. */
  async function resolve(service: string, ref: string): Promise<ResolvedRef> {
    const mirror = mirrorOf(service);
    if (!(await isUsable(mirror))) throw new Error(`The source of ${service} was not fetched yet`);
    const unknown = new PermanentFailure('RefUnknown', `The source of ${service} has no branch, tag or commit ${ref}`);
    if (!/^[A-Za-z0-9_][A-Za-z0-9_./@-]*$/.test(ref)) throw unknown;

    const head = ref === 'HEAD' ? await symbolicHead(mirror) : null;
    const candidates: { readonly name: string; readonly branch: string | null }[] = [
      { name: `refs/heads/${ref}`, branch: ref },
      { name: `refs/tags/${ref}`, branch: null },
    ];
    if (ref.startsWith('refs/')) candidates.push({ name: ref, branch: /^refs\/heads\/(.+)$/.exec(ref)?.[1] ?? null });
    if (/^[0-9a-f]{4,64}$/i.test(ref)) candidates.push({ name: ref, branch: null });
    if (ref === 'HEAD') candidates.unshift({ name: 'HEAD', branch: head });
    for (const { name, branch } of candidates) {
      const found = await git(mirror, ['rev-parse', '--verify', '--quiet', `${name}^{commit}`]);
      if (found.exit_code === 0) return describe(mirror, found.stdout.trim(), branch);
    }
    throw unknown;
  }

  /** The first parent of a commit of the mirror; null: it is the first of all. */
  async function parentOf(service: string, commit: string): Promise<string | null> {
    if (!/^[0-9a-f]{40}$/.test(commit)) throw new PermanentFailure('RefUnknown', `Not a full commit id: ${commit}`);
    const parent = await git(mirrorOf(service), ['rev-parse', '--verify', '--quiet', `${commit}^1^{commit}`]);
    return parent.exit_code === 0 ? parent.stdout.trim() : null;
  }

  async function describe(mirror: string, commit: string, branch: string | null): Promise<ResolvedRef> {
    const date = await must(mirror, ['log', '-1', '--format=%cI', commit]);
    return { commit, branch, committed_at: new Date(date.trim()).toISOString() };
  }

  async function symbolicHead(mirror: string): Promise<string | null> {
    const { exit_code, stdout } = await git(mirror, ['symbolic-ref', '--quiet', '--short', 'HEAD']);
    return exit_code === 0 ? stdout.trim() : null;
  }

  /** Exactly the files of this commit, as git checks them out, in `folder`, which must be empty. No .git. */
  async function exportCommit(service: string, commit: string, folder: string, options: LongOptions = {}) {
    const mirror = mirrorOf(service);
    if (!/^[0-9a-f]{40}$/.test(commit)) throw new PermanentFailure('RefUnknown', `Not a full commit id: ${commit}`);
    const known = await git(mirror, ['cat-file', '-e', `${commit}^{commit}`]);
    if (known.exit_code !== 0)
      throw new PermanentFailure('RefUnknown', `The source of ${service} has no commit ${commit}`);
    await mkdir(folder, { recursive: true });
    const index = join(mirror, `index.${randomUUID()}`);
    const withIndex = { ...options, env: { GIT_INDEX_FILE: index, GIT_WORK_TREE: folder } };
    try {
      await must(mirror, ['read-tree', commit], withIndex);
      await must(mirror, ['checkout-index', '--all', '--force'], withIndex);
    } finally {
      await rm(index, { force: true });
    }
    await refuseEscapingLinks(folder);
  }

  async function isUsable(mirror: string): Promise<boolean> {
    return existsSync(mirror) && (await git(mirror, ['rev-parse', '--git-dir'])).exit_code === 0;
  }

  /** Steps on this machine: that they fail is a fault here, not at the source. */
  async function must(mirror: string, args: readonly string[], options: GitOptions = {}): Promise<string> {
    const { exit_code, stdout, stderr } = await git(mirror, args, options);
    if (exit_code !== 0) throw new Error(`git ${args[0] ?? ''} failed: ${lastLines(stderr)}`);
    return stdout;
  }

  return { fetch, resolve, parentOf, export: exportCommit, mirrorOf };
}

export type GitSource = ReturnType<typeof createGitSource>;

/** The source's HEAD is kept under a name of its own, because it need not be on any branch. */
const headRef = 'refs/holdfast/head';

/** The password goes to git through a file that only we can read: in a URL, git would hand it on in an argv. */
async function credentialArgs(mirror: string, { credential }: Remote): Promise<string[]> {
  const path = join(mirror, 'holdfast-credential');
  if (credential === null) {
    await rm(path, { force: true });
    return [];
  }
  await writeFile(path, `${credential}\n`, { mode: 0o600 });
  return ['-c', `credential.helper=store --file=${quoted(path)}`];
}

/** Git gives helpers to a shell. */
function quoted(path: string): string {
  return `'${path.replaceAll("'", "'\\''")}'`;
}

function unreachable(remote: Remote, stderr: string): Error {
  const message = `The source ${remote.scrub(remote.url)} cannot be read: ${remote.scrub(lastLines(stderr))}`;
  return isPermanent(stderr) ? new PermanentFailure('SourceUnreachable', message) : new Error(message);
}

function lastLines(text: string): string {
  return text
    .trim()
    .split(/[\r\n]+/)
    .slice(-5)
    .join('\n')
    .slice(-1_000);
}

/** Only after everything that could still hold one has been ended. */
async function removeStaleLocks(mirror: string): Promise<void> {
  const inRefs = await readdir(join(mirror, 'refs'), { recursive: true }).catch(() => []);
  const paths = [...(await readdir(mirror)), ...inRefs.map((name) => join('refs', name))];
  const stale = paths.filter((name) => name.endsWith('.lock') || /^index\.[0-9a-f-]{36}$/.test(name));
  for (const name of stale) await rm(join(mirror, name), { force: true });
}
