import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { captureAll, type CaptureDeps, type CaptureFacts, type CaptureRequest } from '../../adapters/backup/capture.ts';
import { proveRestored } from '../../adapters/backup/compare.ts';
import type { BackupServers, MemberReader, Watched } from '../../adapters/backup/deps.ts';
import { createMemberReader, createMemberWriter } from '../../adapters/backup/sealed-member.ts';
import { checkStructure } from '../../adapters/backup/structure.ts';
import type { Finding } from '../../domain/backup/finding.ts';
import { manifestDraftSchema, type ManifestDraft } from '../../domain/backup/manifest.ts';
import { postgresPrograms } from '../../infra/postgres-programs.ts';
import { commitCorpus, generationsGround, type GenerationsGround } from './generations.ts';
import { qdrantServer } from './qdrant.ts';
import { servers } from './servers.ts';

export interface BackupGround extends BackupServers {
  readonly ground: GenerationsGround;
  /** Of its own, removed at the end. */
  readonly folder: string;
  /** A project with a few documents over two generations. */
  readonly project: string;
  readonly collection: string;
  /** Takes a point into a new folder. */
  take(request?: Partial<CaptureRequest>): Promise<TakenPoint>;
  close(): Promise<void>;
}

export interface TakenPoint {
  readonly folder: string;
  readonly draft: ManifestDraft;
  readonly facts: CaptureFacts;
  readonly reader: MemberReader;
}

export const quiet: Watched = { signal: new AbortController().signal, beat: () => undefined };

/** The real servers, with databases, a collection and a project of its own, and what a backup needs beside them. */
export async function backupGround(): Promise<BackupGround> {
  const ground = await generationsGround();
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-backup-'));
  const project = await ground.project();
  await commitCorpus(ground, project, { put: { 'a.md': ['one', 'two'], 'b.md': ['three'] } });
  await commitCorpus(ground, project, { put: { 'c.md': ['four', 'five', 'six'] }, remove: ['b.md'] });
  const { url, apiKey } = qdrantServer();
  const of: BackupServers = {
    postgresUrl: servers().databaseUrl,
    database: ground.databases.database,
    qdrant: { url, apiKey },
    postgresBins: await postgresPrograms(),
  };
  return {
    ...of,
    ...{ ground, folder, project },
    collection: await ground.collection(),
    take: (request = {}) => take(of, ground, folder, request),
    async close() {
      await ground.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function take(
  of: BackupServers,
  ground: GenerationsGround,
  parent: string,
  request: Partial<CaptureRequest>,
): Promise<TakenPoint> {
  const folder = request.folder ?? join(parent, randomBytes(4).toString('hex'));
  await mkdir(join(folder, 'members'), { recursive: true });
  const writer = createMemberWriter({ folder, recipients: [], env: process.env });
  const deps: CaptureDeps = { ...of, data: ground.sql, ops: ground.databases.ops, writer };
  const pin_owner = `backup/${randomBytes(4).toString('hex')}`;
  const { facts } = await captureAll(deps, {
    ...quiet,
    folder,
    include_vectors: true,
    fileSets: [],
    pin_owner,
    ...request,
  });
  if (request.pin_owner === undefined) await ground.pins.unpin(pin_owner);
  const reader = createMemberReader({ folder, identities: [], env: process.env });
  return { folder, facts, draft: draftOf(facts), reader };
}

/** As the workflow makes it. */
function draftOf(facts: CaptureFacts): ManifestDraft {
  const versions = { ...facts.versions, holdfast: '0.0.0-test' };
  return manifestDraftSchema.parse({
    ...{ format: 'holdfast-point/1', stamp: '20261122T010000Z-0c0c', box: 'test', encryption: null },
    ...{ ...facts, versions },
  });
}

/** L1 of the contents. */
export function structureOf(
  of: BackupGround,
  { draft, reader, folder }: Pick<TakenPoint, 'draft' | 'reader' | 'folder'>,
): Promise<Finding[]> {
  const { postgresBins } = of;
  return checkStructure({ reader, postgresBins }, { ...quiet, manifest: draft, workFolder: join(folder, 'work') });
}

/** L2: restored into scratch on the real servers, compared, dropped. */
export function proofOf(
  of: BackupGround,
  { draft, reader, folder }: Pick<TakenPoint, 'draft' | 'reader' | 'folder'>,
): Promise<Finding[]> {
  const scratch = `t_${randomBytes(5).toString('hex')}`;
  return proveRestored({ ...of, reader }, { ...quiet, manifest: draft, scratch, workFolder: join(folder, 'work') });
}

/** In words, so that a test that fails says which. */
export function against(findings: readonly Finding[]): string[] {
  return findings.filter(({ ok }) => !ok).map(({ level, check, reason }) => `${level} ${check}: ${reason}`);
}

/** Turns one bit in the middle of a file. */
export async function flipBit(path: string, where = 0.5): Promise<void> {
  const bytes = await readFile(path);
  const at = Math.floor(bytes.length * where);
  bytes[at] = (bytes[at] ?? 0) ^ 0x10;
  await writeFile(path, bytes);
}
