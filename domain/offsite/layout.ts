import { memberNameSchema } from '../backup/manifest.ts';
import { stampSchema } from '../backup/stamp.ts';

// Where things are below the root of a target: the same for every kind, and the same as in the folder of a local point.

export const markerPath = 'holdfast-target.json';
export const markerFormat = 'holdfast-offsite/1';

export function manifestPath(stamp: string): string {
  return `${stamp}/manifest.json`;
}

export function memberPath(stamp: string, name: string): string {
  return `${stamp}/members/${name}`;
}

/** The folders of a point, inner ones first. */
export function foldersOf(stamp: string): readonly string[] {
  return [`${stamp}/members`, stamp];
}

/** Beside it, for what is being written. No member's name begins with a dot. */
export function partialPath(path: string): string {
  return path.replace(/[^/]*$/, (name) => `.partial-${name}`);
}

export interface RemoteFile {
  /** Below the root, its parts divided by slashes. */
  readonly path: string;
  readonly bytes: number;
}

export interface RemotePoint {
  readonly stamp: string;
  /** Its manifest is there: all of it was there once. */
  readonly complete: boolean;
  readonly bytes: number;
}

/** What of a listing are points, newest first. Anything else that lies there is nobody's business. */
export function pointsIn(files: readonly RemoteFile[]): RemotePoint[] {
  const points = new Map<string, { complete: boolean; bytes: number }>();
  for (const { path, bytes } of files) {
    const [stamp = '', folder, name, ...deeper] = path.split('/');
    const isManifest = folder === 'manifest.json' && name === undefined;
    const isMember = folder === 'members' && memberNameSchema.safeParse(name).success && deeper.length === 0;
    if (!(isManifest || isMember) || !stampSchema.safeParse(stamp).success) continue;
    const point = points.get(stamp) ?? { complete: false, bytes: 0 };
    points.set(stamp, { complete: point.complete || isManifest, bytes: point.bytes + bytes });
  }
  const found = [...points].map(([stamp, point]) => ({ stamp, ...point }));
  return found.sort((a, b) => (a.stamp < b.stamp ? 1 : -1));
}
