import type { Manifest, Member } from '../../domain/backup/manifest.ts';
import type { MemberWriter } from './deps.ts';
import { packFileSet, type FileSet } from './file-set.ts';
import { isMountPoint } from '../files/mounts.ts';

export interface CapturedFiles {
  readonly member: Member;
  readonly set: Manifest['file_sets'][number];
}

/** A declared set as a member: `files-<name>`. Throws as `packFileSet` does. */
export async function captureFiles(
  { writer, work }: { readonly writer: MemberWriter; readonly work: string },
  set: FileSet,
  signal: AbortSignal,
): Promise<CapturedFiles> {
  const { tar, packed } = packFileSet(set, work, signal);
  const member = await writer.seal({ name: `files-${set.name}.tar`, kind: 'files', compression: 'zstd' }, tar, signal);
  const { name, service, root } = set;
  const bind_mount = await isMountPoint(root);
  return { member, set: { name, member: member.name, service, root, ...packed, bind_mount } };
}
