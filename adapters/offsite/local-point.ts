import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { signedManifestSchema, type Manifest } from '../../domain/backup/manifest.ts';
import { OffsiteTrouble } from '../../domain/offsite/trouble.ts';

/** What a copy of a point is held against. */
export interface PointFacts {
  readonly stamp: string;
  readonly members: readonly Pick<Manifest['members'][number], 'name' | 'stored'>[];
  /** Of the file. */
  readonly manifest: { readonly bytes: number; readonly sha256: string };
}

export interface LocalPoint extends PointFacts {
  readonly folder: string;
}

/** A point of this box as it is to be copied. */
export async function readLocalPoint(folder: string): Promise<LocalPoint> {
  return { ...factsOf(await readFile(join(folder, 'manifest.json'))), folder };
}

/** Throws OffsiteTrouble (differs) when it is no manifest. Its signature is looked at with the point's structure, at L1. */
export function factsOf(manifest: Buffer): PointFacts {
  const parsed = signedManifestSchema.safeParse(jsonOf(manifest));
  if (!parsed.success) {
    const { path = [], message = '' } = parsed.error.issues[0] ?? {};
    throw new OffsiteTrouble('differs', `That is no manifest of a recovery point: ${path.join('.')} ${message}`.trim());
  }
  const { stamp, members } = parsed.data.manifest;
  const sha256 = createHash('sha256').update(manifest).digest('hex');
  return { stamp, members, manifest: { bytes: manifest.byteLength, sha256 } };
}

function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}
