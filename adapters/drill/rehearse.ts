import { mkdir, rm } from 'node:fs/promises';
import type { Finding } from '../../domain/backup/finding.ts';
import type { Manifest } from '../../domain/backup/manifest.ts';
import { scratchOfDrill, type DrillReference } from '../../domain/drill/run.ts';
import { PermanentFailure } from '../../domain/failures.ts';
import { checkBytes, checkManifest, checkSeals } from '../backup/bytes.ts';
import { compareScratch } from '../backup/compare.ts';
import type { Watched } from '../backup/deps.ts';
import { isOfThePoint } from '../backup/findings.ts';
import { manifestName, parseManifestFile, readBytes, readManifest } from '../backup/manifest-file.ts';
import { dropScratch, restoreIntoScratch } from '../backup/scratch.ts';
import { createMemberReader } from '../backup/sealed-member.ts';
import { checkStructure } from '../backup/structure.ts';
import { connect, databaseUrl } from '../postgres/connect.ts';
import { databasesOf, foldersOf, type DrillDeps } from './place.ts';

export interface Rehearsed {
  readonly findings: readonly Finding[];
  readonly restore_ms: number;
  readonly compare_ms: number;
  /** Collections that were rebuilt from the rows, and why. */
  readonly rebuilt: readonly string[];
}

/** L0 of the drill's copy. */
export async function drillBytes(deps: DrillDeps, ref: DrillReference, watched: Watched): Promise<Finding[]> {
  const { point } = foldersOf(deps.root, ref.drill_id);
  try {
    const { manifest } = parseManifestFile(await readBytes(point, manifestName));
    return await checkBytes(point, manifest, watched);
  } catch (error) {
    return [refusal(error, 'L0', 'manifest')];
  }
}

/** L1 of it. Throws PermanentFailure `KeyMissing` where this box has no key to open what is encrypted. */
export async function drillStructure(deps: DrillDeps, ref: DrillReference, watched: Watched): Promise<Finding[]> {
  const { point, work } = foldersOf(deps.root, ref.drill_id);
  const { manifest, findings } = checkManifest(await readBytes(point, manifestName), await deps.trusted(), ref.stamp);
  if (manifest === null) return findings;
  const reader = await readerOf(deps, point, manifest);
  await mkdir(work, { recursive: true, mode: 0o700 });
  const seals = await checkSeals(reader, manifest, watched);
  return [
    ...findings,
    ...seals,
    ...(await checkStructure({ ...deps.servers, reader }, { ...watched, manifest, workFolder: work })),
  ];
}

/**
 * L2: restored beside the live data under names that the app can be told, and compared. It stays until it is tidied up. `damageRow`:
 * a row is changed in between, as by a restore that went wrong.
 */
export async function rehearse(
  deps: DrillDeps,
  ref: DrillReference,
  watched: Watched & { readonly damageRow: boolean },
): Promise<Rehearsed> {
  const { point, work } = foldersOf(deps.root, ref.drill_id);
  const manifest = await readManifest(point, await deps.trusted());
  const all = { ...deps.servers, reader: await readerOf(deps, point, manifest) };
  const scratchName = scratchOfDrill(ref.drill_id);
  await dropScratch(deps.servers, scratchName);
  await mkdir(work, { recursive: true, mode: 0o700 });
  const from = performance.now();
  const took = { restore: 0 };
  try {
    const databases = databasesOf(all, scratchName);
    const order = { ...watched, manifest, workFolder: work, scratch: scratchName, databases };
    const scratch = await restoreIntoScratch(all, order);
    if (watched.damageRow) await changeRow(deps, scratch.databases.data);
    took.restore = performance.now() - from;
    const findings = await compareScratch(all, { ...watched, manifest, scratch, workFolder: work });
    const rebuilt = [...scratch.collections].flatMap(([collection, { why }]) =>
      why === null ? [] : [`${collection}: ${why}`],
    );
    const compare_ms = Math.round(performance.now() - from - took.restore);
    return { findings, restore_ms: Math.round(took.restore), compare_ms, rebuilt };
  } catch (error) {
    const restore_ms = Math.round(performance.now() - from);
    return { findings: [refusal(error, 'L2', 'restored')], restore_ms, compare_ms: 0, rebuilt: [] };
  }
}

/** Of a table that every point has rows of. */
async function changeRow({ servers }: DrillDeps, database: string): Promise<void> {
  const data = connect(databaseUrl(servers.postgresUrl, database), { name: 'holdfast-drill', max: 1 });
  try {
    await data`update incarnation set since = since + interval '1 second'`;
  } finally {
    await data.end({ timeout: 5 });
  }
}

async function readerOf(deps: DrillDeps, folder: string, manifest: Manifest) {
  const identities = await deps.identities();
  if (manifest.encryption !== null && identities.length === 0)
    throw new PermanentFailure('KeyMissing', 'This point is encrypted, and this box has no key for drills');
  return createMemberReader({ folder, identities, env: deps.env });
}

/** What is wrong with the point is a finding; that something else is away, or full, is thrown. */
function refusal(error: unknown, level: Finding['level'], check: string): Finding {
  if (!isOfThePoint(error)) throw error;
  return { level, check, ok: false, reason: error.message, detail: { type: error.type } };
}

/** Everything of a drill, as often as it is asked. */
export async function dropCopy(deps: Pick<DrillDeps, 'root'>, drillId: string): Promise<void> {
  await rm(foldersOf(deps.root, drillId).drill, { recursive: true, force: true });
}
