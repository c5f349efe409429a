import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Finding, Level } from '../../domain/backup/finding.ts';
import type { Manifest, ManifestDraft, Member } from '../../domain/backup/manifest.ts';
import { isPermanentFailure } from '../../domain/failures.ts';
import { createMeter } from './measured.ts';
import { verifyManifest } from './manifest-file.ts';
import type { TrustedKeys } from './signing-key.ts';

/** How a long check is watched, and ended from outside. */
interface Watched {
  readonly signal: AbortSignal;
  readonly beat?: (progress: { step: string; done_bytes: number; total_bytes: number }) => void;
}

/** L0: each stored member has the size and the sha256 of the manifest, and nothing else lies beside them. */
export async function checkBytes(
  folder: string,
  { members }: Pick<ManifestDraft, 'members'>,
  watched: Watched,
): Promise<Finding[]> {
  const names = await readdir(join(folder, 'members')).catch(() => []);
  const extra = names.filter((name) => !members.some((member) => member.name === name));
  const reason =
    extra.length === 0 ? 'every file is named in the manifest' : `not in the manifest: ${extra.join(', ')}`;
  const findings = [finding('L0', 'members.extra', extra.length === 0, reason, { extra })];
  const told = tell(
    'L0',
    members.map(({ stored }) => stored.bytes),
    watched,
  );
  for (const member of members) {
    const read = createReadStream(join(folder, 'members', member.name), {
      signal: watched.signal,
      highWaterMark: 1 << 18,
    });
    findings.push(await storedFinding(member, read, told, watched.signal));
  }
  return findings;
}

async function storedFinding(
  { name, stored }: Member,
  read: Readable,
  told: (bytes: number) => void,
  signal: AbortSignal,
): Promise<Finding> {
  const meter = createMeter();
  const done = (ok: boolean, reason: string, detail = {}) => finding('L0', `member.bytes ${name}`, ok, reason, detail);
  try {
    for await (const chunk of meter.through(read)) told(chunk.byteLength);
  } catch (error) {
    signal.throwIfAborted();
    const { code } = error as NodeJS.ErrnoException;
    // A disk that answers with errors is no sound place of a member either.
    return done(false, code === 'ENOENT' ? 'it is not there' : `it cannot be read: ${(error as Error).message}`);
  }
  const found = meter.result();
  if (found.bytes !== stored.bytes) return done(false, `${found.bytes} bytes, not ${stored.bytes}`, { found, stored });
  const same = found.sha256 === stored.sha256;
  return done(same, same ? 'size and sha256 as stored' : 'another sha256 than was stored', { found, stored });
}

/** L1: the manifest is canonical, signed by a trusted key, of this version's shape, and that of this point. */
export function checkManifest(
  bytes: Uint8Array,
  trusted: TrustedKeys,
  stamp: string,
): { readonly manifest: Manifest | null; readonly findings: Finding[] } {
  try {
    const manifest = verifyManifest(bytes, trusted);
    const same = manifest.stamp === stamp;
    const reason = same ? 'the manifest is of this point' : `it is the manifest of ${manifest.stamp}`;
    return {
      manifest: same ? manifest : null,
      findings: [
        finding('L1', 'manifest.signature', true, 'signed by a trusted key'),
        finding('L1', 'manifest.stamp', same, reason),
      ],
    };
  } catch (error) {
    if (!isPermanentFailure(error)) throw error;
    return { manifest: null, findings: [finding('L1', 'manifest.signature', false, error.message)] };
  }
}

/** L1: each member decrypts and decompresses to the bytes that were copied. `reader`: of the point's folder and the keys at hand. */
export async function checkSeals(
  reader: { open(member: Member, signal: AbortSignal): Readable },
  { members }: Pick<ManifestDraft, 'members'>,
  watched: Watched,
): Promise<Finding[]> {
  const told = tell(
    'L1',
    members.map(({ plain }) => plain.bytes),
    watched,
  );
  const findings: Finding[] = [];
  for (const member of members) {
    const check = `member.seal ${member.name}`;
    try {
      for await (const chunk of reader.open(member, watched.signal)) told((chunk as Buffer).byteLength);
      findings.push(finding('L1', check, true, 'opens to the bytes that were copied', { bytes: member.plain.bytes }));
    } catch (error) {
      watched.signal.throwIfAborted();
      // Such as a zstd that is not installed: nothing that the point could be blamed for.
      if (!isPermanentFailure(error)) throw error;
      findings.push(finding('L1', check, false, error.message, { type: error.type }));
    }
  }
  return findings;
}

function tell(step: Level, sizes: readonly number[], { beat }: Watched): (bytes: number) => void {
  const total_bytes = sizes.reduce((sum, bytes) => sum + bytes, 0);
  let done_bytes = 0;
  return (bytes) => {
    done_bytes += bytes;
    beat?.({ step, done_bytes, total_bytes });
  };
}

function finding(
  level: Level,
  check: string,
  ok: boolean,
  reason: string,
  detail: Record<string, unknown> = {},
): Finding {
  return { level, check, ok, reason, detail };
}
