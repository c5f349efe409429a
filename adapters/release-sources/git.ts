import { isPermanentFailure } from '../../domain/failures.ts';
import type { GitSource, ResolvedRef } from '../git/source.ts';
import type { Finding, ReleaseQuestion } from './release-source.ts';

type Git = Pick<GitSource, 'fetch' | 'resolve' | 'parentOf'>;

/** `git`: the commit that is deployed, and its first parent. Asked of that commit, or the answer would be one too old. */
export async function askGit(question: ReleaseQuestion, git: Git): Promise<Finding> {
  const { service, spec, signal } = question;
  const { source } = spec;
  if (source === undefined || !('git' in source)) return { ids: null, reason: 'the service has no git source' };
  const known = await resolved(git, service, question.release_id).catch(() => null);
  if (known === null) await git.fetch(service, source.git, { signal });
  const { commit } = known ?? (await deployed(git, question, source.ref));
  const parent = await git.parentOf(service, commit);
  return parent === null
    ? { ids: null, reason: `${commit} is the first commit, nothing was before it` }
    : { ids: { release_id: commit, previous_release_id: parent } };
}

/** A release need not be named after a commit; then the service's ref says which one it is. */
async function deployed(git: Git, { service, release_id }: ReleaseQuestion, ref: string): Promise<ResolvedRef> {
  return (await resolved(git, service, release_id)) ?? (await git.resolve(service, ref));
}

/** null: the mirror has no such commit. */
async function resolved(git: Git, service: string, name: string): Promise<ResolvedRef | null> {
  if (!/^[0-9a-f]{40}$/.test(name)) return null;
  return git.resolve(service, name).catch((error: unknown) => {
    if (isPermanentFailure(error)) return null;
    throw error;
  });
}
