import { access, chmod, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Finding } from '../../domain/backup/finding.ts';
import { manifestFormat, type Manifest, type ManifestDraft, type Proved } from '../../domain/backup/manifest.ts';
import { pinOwner } from '../../domain/backup/run.ts';
import type { BackupProgress } from '../../domain/backup/schemas.ts';
import type { ProvenLevel } from '../../domain/backup/words.ts';
import { isPermanentFailure } from '../../domain/failures.ts';
import { noRoomOr } from '../files/no-room.ts';
import type { Environment } from '../process/inherited-env.ts';
import type { Sql } from '../postgres/connect.ts';
import { newAgeKey } from './age-key.ts';
import { checkBytes, checkManifest, checkSeals } from './bytes.ts';
import { captureAll, dropLeftSnapshots } from './capture.ts';
import { proveRestored } from './compare.ts';
import type { BackupServers } from './deps.ts';
import type { FileSet } from './file-set.ts';
import {
  manifestName,
  parseManifestFile,
  readBytes,
  readDraft,
  readManifest,
  writeDraft,
  writeManifest,
} from './manifest-file.ts';
import type { Points } from './points.ts';
import { dropScratch } from './scratch.ts';
import { createMemberReader, createMemberWriter } from './sealed-member.ts';
import type { SigningKey, TrustedKeys } from './signing-key.ts';
import { checkStructure } from './structure.ts';

export interface PointMakerDeps {
  readonly servers: BackupServers;
  readonly data: Sql;
  readonly ops: Sql;
  readonly points: Points;
  readonly key: () => Promise<SigningKey>;
  /** That of this box, and of others whose points it takes. */
  readonly trusted: () => Promise<TrustedKeys>;
  /** Of age; empty: nothing is encrypted. */
  readonly recipients: readonly string[];
  /** Keys of age that this box has: those of drills. Mostly none. */
  readonly identities: () => Promise<readonly string[]>;
  readonly fileSets: () => Promise<readonly FileSet[]>;
  /** Where members are unpacked to be looked at. */
  readonly workFolder: string;
  readonly box: string;
  readonly version: string;
  readonly env: Environment;
}

export interface CopyOrder {
  readonly stamp: string;
  readonly backup_id: string;
  readonly include_vectors: boolean;
  readonly signal: AbortSignal;
  readonly beat: (progress: BackupProgress) => void;
}

export interface CopySizes {
  readonly members: number;
  readonly plain_bytes: number;
  readonly stored_bytes: number;
  readonly degraded: readonly string[];
}

/** Of a look at a point. `attempt`: scratch of a lost attempt is dropped by the next one. */
export interface Look {
  readonly attempt: number;
  readonly signal: AbortSignal;
  readonly beat: (progress: BackupProgress) => void;
}

/** Where a point lies: one that is being made is nobody's yet. */
export type PointStanding = 'partial' | 'kept';

export type PointMaker = ReturnType<typeof createPointMaker>;

/** What is made of a copy until it is a recovery point, and what is looked at once it is one. */
export function createPointMaker(deps: PointMakerDeps) {
  const { servers, points } = deps;

  return {
    /** Into a folder that nobody takes for a point. Leaves a signed draft of the manifest there: the contents go through no history. */
    async copy({ stamp, backup_id, include_vectors, signal, beat }: CopyOrder): Promise<CopySizes> {
      const folder = await points.begin(stamp);
      const recipients = await recipientsFor(deps, folder);
      const { facts } = await captureAll(
        {
          ...{ ...servers, data: deps.data, ops: deps.ops },
          writer: createMemberWriter({ folder, recipients, env: deps.env }),
        },
        {
          ...{ folder, include_vectors, pin_owner: pinOwner(backup_id), signal, beat },
          fileSets: await deps.fileSets(),
        },
      ).catch((error: unknown) => {
        throw noRoomOr(error);
      });
      const draft: ManifestDraft = {
        ...facts,
        ...{ format: manifestFormat, stamp, box: deps.box },
        versions: { ...facts.versions, holdfast: deps.version },
        encryption: deps.recipients.length === 0 ? null : { kind: 'age', recipients: [...deps.recipients] },
      };
      await writeDraft(folder, draft, await deps.key());
      return sizesOf(draft);
    },

    /** One level of one point, as its manifest says. */
    async prove(stamp: string, standing: PointStanding, level: ProvenLevel, look: Look): Promise<Finding[]> {
      const folder = points.folderOf(stamp, standing);
      const { manifest, findings } = await manifestOf(deps, { folder, stamp, standing, level });
      if (manifest === null) return findings;
      if (level === 'L0') return [...findings, ...(await checkBytes(folder, manifest, look))];
      const identities = [...(await deps.identities()), ...(await ownIdentity(folder))];
      const reader = createMemberReader({ folder, identities, env: deps.env });
      const scratch = scratchName(stamp, look.attempt);
      const workFolder = join(deps.workFolder, scratch);
      const request = { manifest, workFolder, signal: look.signal, beat: look.beat };
      const all = { ...servers, reader };
      // The first one of a run tidies up behind a run before it, the last attempt of which died.
      await dropEarlier(deps, stamp, look.attempt === 1 ? mostAttempts + 1 : look.attempt);
      try {
        if (level === 'L1') {
          const seals = await checkSeals(reader, manifest, look);
          return [...findings, ...seals, ...(await checkStructure(all, request))];
        }
        return [...findings, ...(await proveRestored(all, { ...request, scratch }))];
      } finally {
        await rm(workFolder, { recursive: true, force: true });
      }
    },

    isPublished: (stamp: string): Promise<boolean> => points.isPublished(stamp),

    /** The manifest is written and signed once more, with what it was proved by; then the folder gets its name. */
    async publish(stamp: string, proof: Readonly<Record<ProvenLevel, Proved>>, finishedAt: Date): Promise<void> {
      const folder = points.folderOf(stamp, 'partial');
      await rm(identityPath(folder), { force: true });
      // An attempt that was lost behind it may have taken the draft away.
      if (!(await hasManifest(folder))) {
        const draft = await readDraft(folder, await deps.trusted());
        const manifest = { ...draft, proof, finished_at: finishedAt.toISOString() };
        await writeManifest(folder, manifest, await deps.key());
      }
      await points.publish(stamp);
    },

    /** Of a published point; throws PermanentFailure `ManifestRefused`. */
    manifest: async (stamp: string): Promise<Manifest> =>
      readManifest(points.folderOf(stamp, 'kept'), await deps.trusted()),

    /** What a look at a point has left. As often as it is asked. */
    dropScratch: (stamp: string): Promise<void> => dropEarlier(deps, stamp, mostAttempts + 1),

    /** What an attempt has left: its folder, snapshots that Qdrant keeps for it, scratch. As often as it is asked. */
    async discard(stamp: string): Promise<void> {
      await dropLeftSnapshots(servers, points.folderOf(stamp, 'partial'));
      await dropEarlier(deps, stamp, mostAttempts + 1);
      await points.discard(stamp);
    },
  };
}

/** As many as Temporal gives a proof. */
const mostAttempts = 8;

async function dropEarlier(deps: PointMakerDeps, stamp: string, attempt: number): Promise<void> {
  for (let earlier = 1; earlier < attempt; earlier += 1) {
    await dropScratch(deps.servers, scratchName(stamp, earlier));
    await rm(join(deps.workFolder, scratchName(stamp, earlier)), { recursive: true, force: true });
  }
}

/** Of an attempt, so that one that is lost and goes on touches nothing of the next. */
function scratchName(stamp: string, attempt: number): string {
  return `${stamp.toLowerCase().replace('-', '_')}_${attempt}`;
}

/**
 * The private half of the key that points are encrypted to is elsewhere, and what cannot be read cannot be proved: until it is
 * published a point can also be read with a key of its own, which then goes.
 */
async function recipientsFor({ recipients }: PointMakerDeps, folder: string): Promise<readonly string[]> {
  if (recipients.length === 0) return [];
  const { identity, recipient } = await newAgeKey();
  await writeFile(identityPath(folder), `${identity}\n`, { mode: 0o600 });
  await chmod(identityPath(folder), 0o600);
  return [...recipients, recipient];
}

async function ownIdentity(folder: string): Promise<string[]> {
  const text = await readFile(identityPath(folder), 'utf8').catch(() => '');
  return text.trim() === '' ? [] : [text.trim()];
}

/** It is written whole or not at all. */
async function hasManifest(folder: string): Promise<boolean> {
  return access(join(folder, manifestName)).then(
    () => true,
    () => false,
  );
}

function identityPath(folder: string): string {
  return join(folder, 'identity');
}

interface Looked {
  readonly folder: string;
  readonly stamp: string;
  readonly standing: PointStanding;
  readonly level: ProvenLevel;
}

/** L0 takes the manifest as it is: whether it is to be believed is said by L1. */
async function manifestOf(
  deps: PointMakerDeps,
  { folder, stamp, standing, level }: Looked,
): Promise<{ readonly manifest: ManifestDraft | null; readonly findings: Finding[] }> {
  if (standing === 'partial') return { manifest: await readDraft(folder, await deps.trusted()), findings: [] };
  try {
    const bytes = await readBytes(folder, manifestName);
    if (level === 'L0') return { manifest: parseManifestFile(bytes).manifest, findings: [] };
    const { manifest, findings } = checkManifest(bytes, await deps.trusted(), stamp);
    return { manifest, findings: findings.map((found) => ({ ...found, level })) };
  } catch (error) {
    if (!isPermanentFailure(error)) throw error;
    return { manifest: null, findings: [{ level, check: 'manifest', ok: false, reason: error.message, detail: {} }] };
  }
}

function sizesOf({ members, collections }: ManifestDraft): CopySizes {
  const total = (of: 'plain' | 'stored') => members.reduce((sum, member) => sum + member[of].bytes, 0);
  return {
    members: members.length,
    plain_bytes: total('plain'),
    stored_bytes: total('stored'),
    degraded: collections.flatMap(({ name, member, why }) =>
      member === null && why !== null && why !== notAsked ? [`${name} is rebuilt from Postgres: ${why}`] : [],
    ),
  };
}

/** Nothing is missing that somebody wanted. */
const notAsked = 'vectors were not asked for';
