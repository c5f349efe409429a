import { readlink, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { IdentityCheck, Instance } from '../../domain/deploy/instance.ts';
import { isInside } from '../files/links.ts';
import { commandLineOf, environmentOf } from '../process/identity.ts';

export interface ProcessIdentityFacts {
  readonly instance: Instance;
  /** Of the program that was started; null: it does not run. */
  readonly pid: number | null;
  readonly bits: 'ok' | 'missing' | 'changed';
  /** Of the release. */
  readonly folder: string;
  /** What the instance was to be started with, but for its labels. */
  readonly env: Readonly<Record<string, string>>;
}

/** Row D2: is what runs, in what it was started with, and from where, what the instance asks for? */
export async function identityOfProcess(facts: ProcessIdentityFacts): Promise<IdentityCheck[]> {
  const { pid, bits } = facts;
  const same = { ok: true, reason: 'same' };
  const dead = { ok: false, reason: 'it does not run' };
  return [
    { check: 'bits', ...(bits === 'ok' ? same : { ok: false, reason: `the release folder is ${bits}` }) },
    { check: 'config', ...(pid === null ? dead : configOf(pid, facts)) },
    { check: 'release', ...(pid === null ? dead : await releaseOf(pid, facts)) },
  ];
}

type Finding = Pick<IdentityCheck, 'ok' | 'reason'>;

/**
 * /proc shows what the program's last exec gave it. As long as its command line is what was asked for that was ours; a
 * wrapper script, or a program that writes its own title, shows what it likes, which is nothing against it.
 */
function configOf(pid: number, { instance, env }: ProcessIdentityFacts): Finding {
  const asked = instance.spec.run.argv ?? [];
  const shown = commandLineOf(pid);
  const environment = environmentOf(pid);
  if (shown === null || environment === null) return { ok: true, reason: 'cannot be read' };
  const { service, instance: name, release_id } = instance;
  const wanted = { ...env, HOLDFAST_SERVICE: service, HOLDFAST_INSTANCE: name, HOLDFAST_RELEASE: release_id };
  const different = Object.entries(wanted)
    .filter(([name, value]) => environment.get(name) !== value)
    .map(([name]) => name);
  const sameArgv = shown.length === asked.length && shown.every((part, i) => part === asked[i]);
  if (sameArgv && different.length > 0)
    return { ok: false, reason: `the environment differs: ${different.join(', ')}` };
  if (!sameArgv && shown.length > 1 && shown[0] === asked[0]) return { ok: false, reason: 'the command line differs' };
  return sameArgv || different.length === 0
    ? { ok: true, reason: 'same' }
    : { ok: true, reason: 'cannot be read: the program shows another command line and environment than it was given' };
}

/** A program may go where it likes, but not into another release of the service. */
async function releaseOf(pid: number, { instance, folder }: ProcessIdentityFacts): Promise<Finding> {
  const label = environmentOf(pid)?.get('HOLDFAST_RELEASE');
  if (label !== undefined && label !== instance.release_id) return { ok: false, reason: `it runs release ${label}` };
  const own = join(await realpath(dirname(folder)).catch(() => dirname(folder)), basename(folder));
  for (const link of ['cwd', 'exe']) {
    const shown = await readlink(`/proc/${pid}/${link}`).catch(() => null);
    const place = shown?.replace(/ \(deleted\)$/, '') ?? '';
    if (!isInside(dirname(own), place)) continue;
    if (place !== shown) return { ok: false, reason: `its ${link} is in a release that was removed` };
    if (isInside(own, place)) continue;
    return { ok: false, reason: `its ${link} is in another release: ${release(own, place)}` };
  }
  return { ok: true, reason: 'same' };
}

/** The name of the folder, beside `own`, that this place is in. */
function release(own: string, place: string): string {
  return place.slice(dirname(own).length + 1).split('/')[0] ?? '';
}
