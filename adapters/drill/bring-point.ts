import { copyFile, link, mkdir, open, readdir, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { parseManifestFile, manifestName, readBytes } from '../backup/manifest-file.ts';
import { openTarget } from '../offsite/open-target.ts';
import { chooseDamage, sayDamage, seedOf, type Damage } from '../../domain/drill/damage.ts';
import type { DrillPoint, DrillReference } from '../../domain/drill/run.ts';
import type { DrillRequest } from '../../domain/drill/schemas.ts';
import { timeOf } from '../../domain/backup/stamp.ts';
import { PermanentFailure } from '../../domain/failures.ts';
import { foldersOf, memberPath, type DrillDeps, type NamedTarget } from './place.ts';

/** Which point a drill is of: the one that is asked for, else the newest. Throws PermanentFailure `PointUnknown`. */
export async function pickPoint(deps: DrillDeps, request: DrillRequest, signal: AbortSignal): Promise<DrillPoint> {
  const none: readonly string[] = [];
  const { found, away } =
    request.from === 'local'
      ? { found: await ofThisBox(deps), away: none }
      : await ofTargets(deps, request.target, signal);
  const asked = found.filter(({ stamp }) => request.stamp === undefined || stamp === request.stamp);
  const newest = asked.toSorted((one, other) => timeOf(other.stamp).getTime() - timeOf(one.stamp).getTime())[0];
  if (newest !== undefined) return newest;
  // That it is nowhere is not known: this is a drill that failed, not one that had nothing to do.
  if (away.length > 0) throw new Error(`Other places do not answer: ${away.join('; ')}`);
  const where = request.from === 'local' ? 'on this box' : (request.target ?? 'at any other place');
  throw new PermanentFailure('PointUnknown', `There is no recovery point ${request.stamp ?? ''} ${where}`);
}

async function ofThisBox({ points }: DrillDeps): Promise<DrillPoint[]> {
  return (await points.list()).map((stamp) => ({ stamp, target: null }));
}

async function ofTargets(deps: DrillDeps, named: string | undefined, signal: AbortSignal) {
  const away: string[] = [];
  const targets = (await deps.targets()).filter(({ name }) => named === undefined || name === named);
  const found = await Promise.all(
    targets.map(async (target) => {
      const listed = await withTarget(deps, target, signal, (opened) => opened.list()).catch((error: unknown) => {
        // With another place to go to, one that is away is no reason to give up.
        if (targets.length === 1) throw error;
        signal.throwIfAborted();
        away.push(`${target.name}: ${error instanceof Error ? error.message : String(error)}`);
        return [];
      });
      return listed.filter(({ complete }) => complete).map(({ stamp }): DrillPoint => ({ stamp, target: target.name }));
    }),
  );
  return { found: found.flat(), away };
}

/** What is done to the copy; null: nothing. */
export interface Brought {
  readonly damage: string | null;
  readonly damage_row: boolean;
  readonly bytes: number;
}

/** The point as a folder of the drill's own: hard links to what is here, or read back from the other place. The original stays as it is. */
export async function bringPoint(deps: DrillDeps, ref: DrillReference, signal: AbortSignal): Promise<Brought> {
  const { point, drill } = foldersOf(deps.root, ref.drill_id);
  await rm(point, { recursive: true, force: true });
  await mkdir(join(point, 'members'), { recursive: true, mode: 0o700 });
  if (ref.target === null) await linkAll(deps.points.folderOf(ref.stamp, 'kept'), point);
  else await fetch(deps, ref, ref.target, point, signal);
  const { manifest } = parseManifestFile(await readBytes(point, manifestName));
  const bytes = manifest.members.reduce((sum, { stored }) => sum + stored.bytes, 0);
  if (!ref.damaged) return { damage: null, damage_row: false, bytes };
  const damage = chooseDamage(manifest.members, seedOf(ref.drill_id));
  await inflict(damage, point, drill);
  return { damage: sayDamage(damage), damage_row: damage.kind === 'row', bytes };
}

async function linkAll(from: string, to: string): Promise<void> {
  await put(join(from, manifestName), join(to, manifestName));
  for (const name of await readdir(join(from, 'members')))
    await put(join(from, 'members', name), join(to, 'members', name));
}

async function put(from: string, to: string): Promise<void> {
  await link(from, to).catch((error: unknown) => {
    // Another file system, or one that knows no links.
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (!['EXDEV', 'EPERM', 'ENOTSUP', 'EMLINK'].includes(code)) throw error;
    return copyFile(from, to);
  });
}

async function fetch(deps: DrillDeps, { stamp }: DrillReference, name: string, folder: string, signal: AbortSignal) {
  const target = (await deps.targets()).find((each) => each.name === name);
  if (target === undefined) throw new PermanentFailure('PointUnknown', `There is no target ${name}`);
  const findings = await withTarget(deps, target, signal, (opened) => opened.get(stamp, folder));
  const bad = findings.find(({ ok }) => !ok);
  // What was read back and is not what it should be is for L0 to say; a manifest that is not there is no point.
  if (bad !== undefined && (await stat(join(folder, manifestName)).catch(() => null)) === null)
    throw new PermanentFailure('PointUnknown', `${name}: ${bad.check}: ${bad.reason}`);
}

async function withTarget<T>(
  { env, root }: DrillDeps,
  target: NamedTarget,
  signal: AbortSignal,
  work: (opened: Awaited<ReturnType<typeof openTarget>>) => Promise<T>,
): Promise<T> {
  const opened = await openTarget(target, { env, scratch: join(root, 'targets'), signal });
  try {
    return await work(opened);
  } finally {
    await opened.close();
  }
}

/** On a copy of its bytes: what is linked is the point itself. */
async function inflict({ kind, member, at }: Damage, point: string, drill: string): Promise<void> {
  if (kind === 'row' || member === null) return;
  const path = memberPath(point, { name: member });
  const copy = join(drill, 'damaged');
  await copyFile(path, copy);
  await rm(path);
  if (kind === 'missing') return rm(copy);
  if (kind === 'cut') await truncate(copy, at);
  if (kind === 'bit') await flip(copy, at);
  await copyFile(copy, path);
  await rm(copy);
}

async function flip(path: string, at: number): Promise<void> {
  const file = await open(path, 'r+');
  try {
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, at);
    await file.write(Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, at);
  } finally {
    await file.close();
  }
}
