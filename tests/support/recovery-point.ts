import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { createMemberWriter } from '../../adapters/backup/sealed-member.ts';
import { manifestFormat, type Manifest, type ManifestDraft } from '../../domain/backup/manifest.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

/** A manifest of these members, with contents of databases and collections that nobody looks into. */
export function draftOf(stamp: string, members: ManifestDraft['members'], recipients: string[] = []): ManifestDraft {
  const [data, ops, qdrant, files] = members.map(({ name }) => name);
  const table = { rows: 2, sha256: sha256('table') };
  return {
    ...{ format: manifestFormat, stamp, box: 'test', taken_at: '2026-11-22T01:00:00.000Z' },
    versions: { holdfast: '0.3.0', postgres: '15.18', pg_dump: '15.18', qdrant: '1.17.0' },
    migrations: { holdfast: ['0001-incarnation.sql'], holdfast_ops: ['0001-ground.sql'] },
    incarnation: '6f1d3c0e-5f4d-4b34-9b57-0d2f4a1f2b3c',
    include_vectors: true,
    generations: [{ project: 'p01-notes', visible: 3, collection: 'holdfast-0a', identity: 'none' }],
    encryption: recipients.length === 0 ? null : { kind: 'age', recipients },
    members,
    databases: [
      {
        role: 'data',
        member: data ?? '',
        tables: { 'public.chunks': table },
        sequences: { 'public.s': '9007199254740993' },
      },
      { role: 'ops', member: ops ?? '', tables: { 'public.events': table }, sequences: {} },
    ],
    collections: [
      {
        ...{ name: 'holdfast-0a', member: qdrant ?? null, why: null, points: 2, payloads_sha256: sha256('payloads') },
        vectors_sha256: sha256('vectors'),
        queries: [{ vector_sha256: sha256('vector'), vector: [0.1, -0.25, 1e-7], ids: ['a', 'b'] }],
      },
    ],
    file_sets: [
      {
        ...{ name: 'staged', member: files ?? '', service: null, root: '/srv/staged', files: 1, bytes: 4 },
        ...{ sqlite: [], bind_mount: false },
      },
    ],
  };
}

export function provedOf(draft: ManifestDraft): Manifest {
  const proved = { at: '2026-11-22T01:02:00.000Z', ms: 1_500 };
  return { ...draft, finished_at: '2026-11-22T01:03:00.000Z', proof: { L0: proved, L1: proved, L2: proved } };
}

/** Writes a member of each kind into <folder>/members. */
export async function sealMembers(folder: string, recipients: string[] = []): Promise<ManifestDraft['members']> {
  const writer = createMemberWriter({ folder, recipients, env: process.env });
  const signal = new AbortController().signal;
  const kinds = [
    { name: 'postgres-holdfast.dump.tar', kind: 'postgres' },
    { name: 'postgres-holdfast_ops.dump.tar', kind: 'postgres' },
    { name: 'qdrant-holdfast-0a.snapshot', kind: 'qdrant' },
    { name: 'files-staged.tar', kind: 'files' },
  ] as const;
  const members: ManifestDraft['members'] = [];
  for (const member of kinds) {
    const plain = Readable.from([Buffer.from(`the content of ${member.name} `.repeat(500))], { objectMode: false });
    members.push(await writer.seal({ ...member, compression: 'zstd' }, plain, signal));
  }
  return members;
}

export const memberPath = (folder: string, index: number, members: ManifestDraft['members']): string =>
  join(folder, 'members', members[index]?.name ?? '');
