import { PermanentFailure } from '../../domain/failures.ts';
import type { ServiceSpec } from '../../domain/service.ts';
import type { GitSource } from '../git/source.ts';
import type { ResolvedRelease, ResolveOrder } from './driver.ts';

/** A full commit id means the same for ever, so a source that is away does not keep anybody from going back to one. */
export async function resolveInGit(
  git: Pick<GitSource, 'fetch' | 'resolve'>,
  { service, spec, wanted, signal }: ResolveOrder,
): Promise<ResolvedRelease> {
  const { git: url, ref } = gitSourceOf(spec);
  const isCommit = wanted !== null && /^[0-9a-f]{40}$/.test(wanted);
  const known = isCommit ? await git.resolve(service, wanted).catch(() => null) : null;
  if (known === null) await git.fetch(service, url, { signal });
  const { commit, branch, committed_at } = known ?? (await git.resolve(service, wanted ?? ref));
  return { release_id: commit, branch, committed_at };
}

function gitSourceOf({ driver, source }: ServiceSpec): { readonly git: string; readonly ref: string } {
  if (source !== undefined && 'git' in source) return source;
  throw new PermanentFailure('RunSpecInvalid', `the ${driver} driver needs source.git to build from`);
}
