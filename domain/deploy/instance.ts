import type { ServiceSpec } from '../service.ts';
import type { CutOver } from './words.ts';

/** Why an instance is there. `rollback`: an automatic one put it there, so no second one may follow it. */
export type InstanceRole = 'candidate' | 'rollback';

/** Row D15. */
export interface Provenance {
  readonly build_sha: string;
  readonly build_time: string | null;
  readonly build_branch: string | null;
}

/** One start of one release, with everything it is started with. A row before anything is started; never changed but for `wanted`. */
export interface Instance {
  /** `<deploy id>.candidate` or `<deploy id>.rollback`; started again by the watch, with `.r<epoch>` behind it. */
  readonly instance: string;
  readonly service: string;
  readonly release_id: string;
  readonly deploy_id: string;
  readonly run_id: string;
  readonly role: InstanceRole;
  /** With every `{port}` filled in. */
  readonly spec: ServiceSpec;
  /** Of the specification as it was registered, before `{port}`. */
  readonly config_hash: string;
  /** Of the bits: of the release folder, or the id of the image. */
  readonly digest: string;
  /** What `{port}` became; null where the spec has none. */
  readonly port: number | null;
  readonly provenance: Provenance;
}

/** What a driver says of one instance. */
export interface InstanceState {
  readonly exists: boolean;
  readonly running: boolean;
  readonly pid: number | null;
  readonly container_id: string | null;
  /** ISO time; null until the program ran. */
  readonly started_at: string | null;
  readonly restart_count: number;
  readonly exit_code: number | null;
  readonly exit_signal: string | null;
  readonly oom_killed: boolean;
}

/** Row D2: one thing that must be so for what runs to be what was deployed. */
export interface IdentityCheck {
  readonly check: 'bits' | 'config' | 'bind_mounts' | 'build_sha' | 'release';
  readonly ok: boolean;
  /** `same`, or what is different. No secrets. */
  readonly reason: string;
}

/** A release may say which state of its data it makes and which it can read (file `holdfast.release.json`, image labels). */
export interface SchemaFacts {
  readonly schema_version: number | null;
  /** The newest schema that this release can work with; null: its own. */
  readonly schema_reads_to: number | null;
}

/**
 * Can `target` work with data that `deployed` may have migrated? Not when it says that it cannot; where either says
 * nothing, nothing is known against it.
 */
export function schemaCompatible(target: SchemaFacts, deployed: SchemaFacts): boolean {
  const reads = target.schema_reads_to ?? target.schema_version;
  return reads === null || deployed.schema_version === null || reads >= deployed.schema_version;
}

/** Fills in the port that an instance was given: in what it runs, and in how it is asked. Other strings are left alone. */
export function withPort(spec: ServiceSpec, port: number | null): ServiceSpec {
  if (port === null) return spec;
  const fill = (text: string) => text.replaceAll('{port}', String(port));
  const { run, probes, container } = spec;
  const asked = ({ http, command }: Pick<ServiceSpec['probes'], 'http' | 'command'>) => ({
    ...(http === undefined ? {} : { http: { url: fill(http.url) } }),
    ...(command === undefined ? {} : { command: { argv: command.argv.map(fill) } }),
  });
  return {
    ...spec,
    run: {
      ...run,
      ...(run.argv === undefined ? {} : { argv: run.argv.map(fill) }),
      env: Object.fromEntries(Object.entries(run.env).map(([name, value]) => [name, fill(value)])),
    },
    probes: {
      ...probes,
      ...asked(probes),
      ...(probes.liveness === undefined ? {} : { liveness: asked(probes.liveness) }),
    },
    ...(container === undefined
      ? {}
      : {
          container: {
            ...container,
            ports: container.ports.map((each) => (each.host === '{port}' ? { ...each, host: port } : each)),
          },
        }),
  };
}

/** Row D11: beside what runs now, where both leave the other's way to the world alone; `before` is null where nothing runs. */
export function cutOverOf(spec: ServiceSpec, before: ServiceSpec | null): CutOver {
  if (spec.driver === 'command') return 'command';
  if (spec.traffic === undefined || !takesPort(spec)) return 'stop_first';
  if (before === null) return 'start_first';
  const listens = ({ traffic }: ServiceSpec) => JSON.stringify(traffic?.listen);
  return listens(before) === listens(spec) && before.driver === spec.driver ? 'start_first' : 'stop_first';
}

/** Row D11: start-first where the run spec takes its port and a switch stands in front. */
export function takesPort({ run, container }: ServiceSpec): boolean {
  return (
    [...(run.argv ?? []), ...Object.values(run.env)].some((text) => text.includes('{port}')) ||
    (container?.ports.some(({ host }) => host === '{port}') ?? false)
  );
}

/** What an instance should say of itself; null: an image taken as it is says whatever its makers wrote into it. */
export function expectedBuildSha({ spec, release_id }: Pick<Instance, 'spec' | 'release_id'>): string | null {
  return spec.source !== undefined && 'git' in spec.source ? release_id : null;
}
