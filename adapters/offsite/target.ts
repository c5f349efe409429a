import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Finding } from '../../domain/backup/finding.ts';
import { canonicalJson } from '../../domain/canonical-json.ts';
import {
  foldersOf,
  manifestPath,
  markerFormat,
  markerPath,
  memberPath,
  pointsIn,
  type RemotePoint,
} from '../../domain/offsite/layout.ts';
import { OffsiteTrouble } from '../../domain/offsite/trouble.ts';
import { fetchPoint } from './fetch-point.ts';
import { factsOf, type LocalPoint, type PointFacts } from './local-point.ts';
import { hashOf, readWhole } from './read-back.ts';
import type { RemoteStore } from './remote-store.ts';

/** How far it is, and what an earlier attempt has already read back. */
export interface Going {
  readonly progress?: (progress: OffsiteProgress) => void;
  /** Members that were read back whole already; of one attempt at one push. */
  readonly verified?: readonly string[];
  readonly onVerified?: (member: string) => void;
}

export interface OffsiteProgress {
  readonly step: 'upload' | 'read_back' | 'download';
  readonly done_bytes: number;
  readonly total_bytes: number;
}

export type OffsiteTarget = ReturnType<typeof createTarget>;

/** What is read into memory at most: a manifest of 10,000 sampled vectors is far below. */
const mostManifestBytes = 2 ** 28;

/**
 * Copies of recovery points at another place, of whatever kind (row B5). Members go first and are read back by their sha256; the
 * manifest goes last; so a point with a manifest there is one that was whole there. `id`: of the target, null where whatever
 * target of Holdfast's is there will do. Throws OffsiteTrouble.
 */
export function createTarget(store: RemoteStore, options: { readonly id: string | null; readonly scratch: string }) {
  const { id, scratch } = options;

  async function demandMarker(): Promise<void> {
    const marker = await readMarker(store);
    if (marker === null) throw new OffsiteTrouble('away', `There is no ${markerPath}: not mounted, or another place`);
    if (id !== null && marker !== id)
      throw new OffsiteTrouble('refused', `It is another target: its marker says ${marker}`);
  }

  async function uploadBytes(bytes: Buffer, path: string): Promise<void> {
    const folder = await mkdtemp(join(scratch, 'upload-'));
    try {
      await writeFile(join(folder, 'bytes'), bytes, { mode: 0o600 });
      await store.upload({ path: join(folder, 'bytes'), bytes: bytes.byteLength }, path, () => undefined);
    } finally {
      await rm(folder, { recursive: true });
    }
  }

  async function manifest(stamp: string): Promise<Buffer | null> {
    const content = await store.open(manifestPath(stamp));
    return content === null ? null : readWhole(content, mostManifestBytes);
  }

  /** What one member is at the target. */
  async function readMember(point: PointFacts, name: string, count: (bytes: number) => void): Promise<Finding> {
    const expected = point.members.find((member) => member.name === name)?.stored;
    const content = await store.open(memberPath(point.stamp, name));
    return compared(`offsite.member ${name}`, expected, content === null ? null : await hashOf(content, count));
  }

  async function readManifest(point: PointFacts): Promise<Finding> {
    const content: Readable | null = await store.open(manifestPath(point.stamp));
    return compared('offsite.manifest', point.manifest, content === null ? null : await hashOf(content));
  }

  /** Uploads what is not there in its size; reads it back; what came back as something else goes once more. */
  async function bringMember(point: LocalPoint, name: string, there: boolean, going: Counting): Promise<Finding> {
    const { bytes } = sizeOf(point, name);
    const file = { path: join(point.folder, 'members', name), bytes };
    const path = memberPath(point.stamp, name);
    if (there) going.uploaded(bytes);
    else await store.upload(file, path, going.uploaded);
    const finding = await readMember(point, name, going.readBack);
    if (finding.ok) return finding;
    going.uploaded(-bytes);
    going.readBack(-bytes);
    await store.remove(path);
    await store.upload(file, path, going.uploaded);
    return readMember(point, name, going.readBack);
  }

  return {
    /** Before its first use. Throws OffsiteTrouble (refused) when it is a target already, and not this one. */
    async prepare(): Promise<void> {
      const marker = await readMarker(store);
      if (marker === id) return;
      if (marker !== null) throw new OffsiteTrouble('refused', `It is a target of Holdfast's already: ${marker}`);
      await uploadBytes(Buffer.from(canonicalJson({ format: markerFormat, id })), markerPath);
    },

    /** Whose it is; null: nobody's yet. */
    marker: (): Promise<string | null> => readMarker(store),

    async list(): Promise<RemotePoint[]> {
      await demandMarker();
      return pointsIn(await store.list(''));
    },

    manifest,

    /** May be repeated, and goes on where it was. Findings of level L0: all of them ok is what makes it a copy. */
    async put(point: LocalPoint, going: Going = {}): Promise<Finding[]> {
      await demandMarker();
      const known = new Map((await store.list(point.stamp)).map(({ path, bytes }) => [path, bytes]));
      await refuseOther(point, await manifest(point.stamp));
      const counting = count(point, going);
      const findings: Finding[] = [];
      for (const { name, stored } of point.members) {
        const there = known.get(memberPath(point.stamp, name)) === stored.bytes;
        if (there && going.verified?.includes(name) === true) {
          counting.uploaded(stored.bytes);
          counting.readBack(stored.bytes);
          findings.push(finding(`offsite.member ${name}`, null, { verified: 'by an earlier attempt' }));
          continue;
        }
        const found = await bringMember(point, name, there, counting);
        if (found.ok) going.onVerified?.(name);
        findings.push(found);
      }
      if (findings.some(({ ok }) => !ok)) return findings;
      const file = { path: join(point.folder, 'manifest.json'), bytes: point.manifest.bytes };
      if (!known.has(manifestPath(point.stamp))) await store.upload(file, manifestPath(point.stamp), () => undefined);
      return [...findings, await readManifest(point)];
    },

    /** Every byte of a copy once more. */
    async readBack(point: PointFacts, going: Going = {}): Promise<Finding[]> {
      await demandMarker();
      const { readBack } = count(point, going);
      const findings: Finding[] = [await readManifest(point)];
      for (const { name } of point.members) findings.push(await readMember(point, name, readBack));
      return findings;
    },

    /** Into a folder of a point that is being made; its manifest last. Goes on where an attempt before it ended. */
    async get(stamp: string, folder: string, going: Going = {}): Promise<Finding[]> {
      await demandMarker();
      const bytes = await manifest(stamp);
      if (bytes === null) throw new OffsiteTrouble('gone', `There is no point ${stamp} at this target`);
      const point = factsOf(bytes);
      if (point.stamp !== stamp) throw new OffsiteTrouble('differs', `The manifest of ${stamp} is of ${point.stamp}`);
      return fetchPoint(store, { point, manifest: bytes, folder }, count(point, going).downloaded);
    },

    /** The manifest first: half a point is none. May be repeated; what is not of the point stays. */
    async remove({ stamp, members }: Pick<PointFacts, 'stamp' | 'members'>): Promise<void> {
      await demandMarker();
      await store.remove(manifestPath(stamp));
      const paths = members.map(({ name }) => memberPath(stamp, name));
      await store.removeAll(paths, foldersOf(stamp));
    },

    close: () => store.close(),
  };
}

interface Counting {
  readonly uploaded: (bytes: number) => void;
  readonly readBack: (bytes: number) => void;
  readonly downloaded: (bytes: number) => void;
}

function count({ members }: PointFacts, { progress }: Going): Counting {
  const total_bytes = members.reduce((sum, { stored }) => sum + stored.bytes, 0);
  const counter = (step: OffsiteProgress['step']) => {
    let done_bytes = 0;
    return (bytes: number) => {
      done_bytes += bytes;
      progress?.({ step, done_bytes, total_bytes });
    };
  };
  return { uploaded: counter('upload'), readBack: counter('read_back'), downloaded: counter('download') };
}

function sizeOf(point: PointFacts, name: string): { readonly bytes: number; readonly sha256: string } {
  const member = point.members.find((each) => each.name === name);
  if (member === undefined) throw new Error(`${point.stamp} has no member ${name}`);
  return member.stored;
}

async function refuseOther({ stamp, manifest }: PointFacts, there: Buffer | null): Promise<void> {
  if (there === null || createHash('sha256').update(there).digest('hex') === manifest.sha256) return;
  throw new OffsiteTrouble('differs', `The target has another manifest under ${stamp}; nothing of it was touched`);
}

async function readMarker(store: RemoteStore): Promise<string | null> {
  const content = await store.open(markerPath);
  if (content === null) return null;
  const text = (await readWhole(content, 65_536)).toString('utf8');
  const [, marker] = /"id":"([0-9a-f-]{36})"/.exec(text) ?? [];
  if (!text.includes(markerFormat) || marker === undefined)
    throw new OffsiteTrouble('refused', `Its ${markerPath} is not one of Holdfast's`);
  return marker;
}

type Sum = { readonly bytes: number; readonly sha256: string };

/** `there` null: missing. */
function compared(check: string, expected: Sum | undefined, there: Sum | null): Finding {
  if (there === null) return finding(check, 'It is not at the target', {});
  const same = expected !== undefined && expected.bytes === there.bytes && expected.sha256 === there.sha256;
  return finding(check, same ? null : 'The target gives back other bytes than were written', { expected, there });
}

/** `fault` null: none. */
function finding(check: string, fault: string | null, detail: Finding['detail']): Finding {
  return { level: 'L0', check, ok: fault === null, reason: fault ?? 'read back whole', detail };
}
