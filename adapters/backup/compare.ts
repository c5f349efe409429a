import { mkdir } from 'node:fs/promises';
import type { Finding } from '../../domain/backup/finding.ts';
import type { ManifestDraft } from '../../domain/backup/manifest.ts';
import { connect, databaseUrl } from '../postgres/connect.ts';
import { compareCollection } from './compare-collection.ts';
import { compareDatabase } from './compare-database.ts';
import { compareFileSet } from './compare-files.ts';
import type { BackupServers, MemberReader, Watched } from './deps.ts';
import { isOfThePoint, l2 } from './findings.ts';
import { dropScratch, restoreIntoScratch, type Scratch, type ScratchRequest } from './scratch.ts';

type Deps = BackupServers & { readonly reader: MemberReader };

/** L2. What was restored into scratch, beside the manifest: hashes, not counts. All of them ok: the point is proved. */
export async function compareScratch(
  deps: Deps,
  request: Watched & { readonly manifest: ManifestDraft; readonly scratch: Scratch; readonly workFolder: string },
): Promise<Finding[]> {
  const { manifest, scratch, signal, beat, workFolder } = request;
  const watched = { signal, beat };
  const findings: Finding[] = [];
  for (const role of ['data', 'ops'] as const)
    findings.push(...(await compareDatabase(deps, { ...watched, role, database: scratch.databases[role], manifest })));
  const data = connect(databaseUrl(deps.postgresUrl, scratch.databases.data), { name: 'holdfast-restore', max: 2 });
  try {
    for (const collection of manifest.collections) {
      const restored = scratch.collections.get(collection.name) ?? {
        name: '',
        why: 'it was not restored',
        damaged: true,
      };
      findings.push(...(await compareCollection(deps, { ...watched, collection, manifest, restored, data })));
    }
  } finally {
    await data.end({ timeout: 5 });
  }
  for (const set of manifest.file_sets) {
    const member = manifest.members.find(({ name }) => name === set.member);
    findings.push(
      member === undefined
        ? l2(`files.${set.name}`, ['the point has no such member'])
        : await compareFileSet(deps, { ...watched, set, member, workFolder }),
    );
  }
  return findings;
}

/** L2 as a whole: restored into scratch, compared, and dropped. What a server refuses is a finding; that one is away is thrown. */
export async function proveRestored(deps: Deps, request: ScratchRequest): Promise<Finding[]> {
  await mkdir(request.workFolder, { recursive: true, mode: 0o700 });
  try {
    const scratch = await restoreIntoScratch(deps, request);
    return await compareScratch(deps, { ...request, scratch });
  } catch (error) {
    if (isOfThePoint(error)) return [l2('restored', [error.message])];
    throw error;
  } finally {
    await dropScratch(deps, request.scratch);
  }
}
