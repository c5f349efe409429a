import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Member, SignedManifest } from '../../domain/backup/manifest.ts';
import { manifestFormat } from '../../domain/backup/manifest.ts';
import { stampAt } from '../../domain/backup/stamp.ts';
import { canonicalJson } from '../../domain/canonical-json.ts';

const zeroHash = '0'.repeat(64);

export interface PointOptions {
  readonly takenAt?: Date;
  /** Of the largest member. */
  readonly bytes?: number;
  readonly box?: string;
}

/**
 * A folder of a recovery point as far as copying it needs one: a manifest that its schema takes, members of random bytes. It is
 * not signed with any key. Gives its STAMP.
 */
export function writePoint(
  points: string,
  options: PointOptions = {},
): { readonly stamp: string; readonly folder: string } {
  const { takenAt = new Date(), bytes = 3_000_000, box = 'test' } = options;
  const stamp = stampAt(takenAt, randomBytes(2).toString('hex'));
  const folder = join(points, stamp);
  mkdirSync(join(folder, 'members'), { recursive: true, mode: 0o700 });
  const member = (name: string, kind: Member['kind'], size: number): Member => {
    const content = randomBytes(size);
    writeFileSync(join(folder, 'members', name), content, { mode: 0o600 });
    const sum = { bytes: size, sha256: createHash('sha256').update(content).digest('hex') };
    return { name, kind, compression: 'zstd', plain: sum, stored: sum };
  };
  const members = [
    member('postgres-holdfast.dump.tar.zst', 'postgres', bytes),
    member('postgres-holdfast_ops.dump.tar.zst', 'postgres', 40_000),
    member('files-staged.tar.zst', 'files', 0),
  ];
  const at = takenAt.toISOString();
  const proved = { at, ms: 1 };
  const signed: SignedManifest = {
    manifest: {
      ...{ format: manifestFormat, stamp, box, taken_at: at, finished_at: at },
      versions: { holdfast: '0.0.0', postgres: '15', pg_dump: '15', qdrant: null },
      migrations: { holdfast: [], holdfast_ops: [] },
      incarnation: '6a4d1c9e-6a0c-4b8e-9d4f-0a1b2c3d4e5f',
      ...{ include_vectors: false, generations: [], encryption: null, members, collections: [] },
      databases: [
        { role: 'data', member: 'postgres-holdfast.dump.tar.zst', tables: {}, sequences: {} },
        { role: 'ops', member: 'postgres-holdfast_ops.dump.tar.zst', tables: {}, sequences: {} },
      ],
      file_sets: [
        {
          ...{ name: 'staged', member: 'files-staged.tar.zst', service: null, root: '/staged' },
          ...{ files: 0, bytes: 0, sqlite: [], bind_mount: false },
        },
      ],
      proof: { L0: proved, L1: proved, L2: proved },
    },
    signature: { alg: 'Ed25519', key_id: zeroHash, value: 'AAAA' },
  };
  writeFileSync(join(folder, 'manifest.json'), canonicalJson(signed), { mode: 0o600 });
  return { stamp, folder };
}
