import type { IdentityCheck, Instance } from '../../domain/deploy/instance.ts';
import { staleBinds } from './bind-mounts.ts';
import { wantedEnv } from './container-options.ts';
import type { Inspected } from './containers.ts';
import type { Images } from './images.ts';
import { labelsIn } from './images.ts';
import { label } from './labels.ts';

type Finding = Pick<IdentityCheck, 'ok' | 'reason'>;
type Image = Awaited<ReturnType<Images['find']>>;

const same: Finding = { ok: true, reason: 'same' };

/** Row D2: is the container that is there what the instance asks for, and does it see what the box has? */
export async function identityOfContainer(
  instance: Instance,
  found: Inspected | null,
  images: Pick<Images, 'find'>,
): Promise<IdentityCheck[]> {
  if (found === null) return [{ check: 'bits', ok: false, reason: 'its container is not there' }];
  const image = await images.find(found.Image);
  return [
    { check: 'bits', ...bitsOf(instance, found) },
    { check: 'config', ...configOf(instance, found, image) },
    { check: 'bind_mounts', ...(await staleBinds(instance.spec.container?.binds ?? [], found.State.Pid)) },
    { check: 'release', ...releaseOf(instance, found, image) },
  ];
}

function bitsOf({ digest }: Instance, { Image }: Inspected): Finding {
  return Image === digest ? same : { ok: false, reason: `it runs image ${Image}, not ${digest}` };
}

/** What the container was made with, not what it was meant to be made with. Names only: values may be secret. */
function configOf(instance: Instance, { Config, HostConfig }: Inspected, image: Image): Finding {
  const hash = (Config.Labels as Record<string, string | undefined>)[label.config];
  if (hash !== instance.config_hash) return differs('it was started with another configuration');
  const env = differentEnv(wantedEnv(instance), Config.Env, image?.Config.Env ?? null);
  if (env.length > 0) return differs(`the environment differs: ${env.join(', ')}`);
  const argv = instance.spec.run.argv ?? image?.Config.Cmd;
  if (argv != null && !sameWords(argv, Config.Cmd)) return differs('the command line differs');
  const memory = instance.spec.container?.memory_bytes ?? 0;
  if ((HostConfig.Memory ?? 0) !== memory) return differs('the memory limit differs');
  return same;
}

/** Of the variables asked for, and of those that neither we nor the image asked for. */
function differentEnv(
  wanted: Readonly<Record<string, string>>,
  actual: readonly string[],
  ofImage: readonly string[] | null,
): string[] {
  const has = new Map(actual.map((each) => [nameIn(each), each.slice(nameIn(each).length + 1)]));
  const changed = Object.keys(wanted).filter((name) => has.get(name) !== wanted[name]);
  const known = new Set([...Object.keys(wanted), ...(ofImage ?? []).map(nameIn)]);
  // Docker gives every container a PATH.
  const extra = ofImage === null ? [] : [...has.keys()].filter((name) => !known.has(name) && name !== 'PATH');
  return [...changed, ...extra];
}

function nameIn(variable: string): string {
  return variable.split('=', 1)[0] ?? variable;
}

function sameWords(wanted: readonly string[], actual: readonly string[] | null): boolean {
  return actual !== null && wanted.length === actual.length && wanted.every((word, i) => word === actual[i]);
}

/** The commit that is written on the image by its build, and the release on the container. */
function releaseOf({ release_id, spec }: Instance, { Config }: Inspected, image: Image): Finding {
  const written = (Config.Labels as Record<string, string | undefined>)[label.release];
  if (written !== release_id) return differs(`its container is of release ${written ?? 'nobody knows'}`);
  const fromGit = spec.source !== undefined && 'git' in spec.source;
  const built = image === null ? undefined : labelsIn(image)[label.release];
  return fromGit && built !== undefined && built !== release_id ? differs(`its image is of release ${built}`) : same;
}

function differs(reason: string): Finding {
  return { ok: false, reason };
}
