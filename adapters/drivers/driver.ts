import type { IdentityCheck, Instance, InstanceState, Provenance, SchemaFacts } from '../../domain/deploy/instance.ts';
import type { ServiceSpec } from '../../domain/service.ts';
import type { LogSource } from './log-source.ts';

/** Row D1: a way of running releases. One interface, so that a deploy reads the same whatever it deploys. */
export interface Driver {
  /**
   * What a ref, image name or id given by the caller means now: the release to deploy. Always asked at the source, because
   * yesterday's answer would be one release too old. Throws SourceUnreachable, RefUnknown.
   */
  resolve(order: ResolveOrder): Promise<ResolvedRelease>;

  /** Makes the bits of a release, or uses them as they are when they are there and intact. Throws BuildFailed. */
  build(order: BuildOrder): Promise<BuiltRelease>;

  /** Are the bits of this release still there, and still the same? */
  verify(release: ReleaseBits, signal: AbortSignal): Promise<'ok' | 'missing' | 'changed'>;

  /** Takes away the bits of a release. One that is not there is no error. */
  removeRelease(release: ReleaseBits): Promise<void>;

  /** What would stop this instance from starting, seen beforehand: a port of somebody else, a program that is not there. */
  obstacles(spec: ServiceSpec, service: string): Promise<readonly string[]>;

  /** Looks first: an instance that was started before is left as it is, whether it still runs or not. */
  start(instance: Instance, signal: AbortSignal): Promise<InstanceState>;

  inspect(instance: Instance): Promise<InstanceState>;

  /** From now on this instance is never started, also by a start that comes late. Returns when it is gone. */
  stop(instance: Instance, signal: AbortSignal): Promise<InstanceState>;

  /** The instances of a service that run, whoever of this Holdfast started them. Throws DriverAbsent. */
  alive(service: string): Promise<readonly string[]>;

  /** Removes what is left of instances that no longer run, but for those in `keep`. */
  pruneInstances(service: string, keep: readonly string[]): Promise<void>;

  /** Row D2: is what runs what was asked for? */
  identity(instance: Instance): Promise<readonly IdentityCheck[]>;

  /** Runs a probe's argv where the service is: in its folder, or in its container. A timeout is a result. */
  runProbe(instance: Instance, argv: readonly string[], options: ProbeOptions): Promise<ProbeExit>;

  /** Row D14; null where the driver has no logs. */
  readonly logs: LogSource | null;
}

/** What a driver needs has not been seen on this box: either it never was there, or it is just away. */
export class DriverAbsent extends Error {
  override readonly name = 'DriverAbsent';
}

export interface ResolveOrder {
  readonly service: string;
  readonly spec: ServiceSpec;
  /** Ref, release id or image name; null: what the service's source says. */
  readonly wanted: string | null;
  readonly signal: AbortSignal;
}

export interface ResolvedRelease {
  readonly release_id: string;
  readonly branch: string | null;
  /** ISO time. */
  readonly committed_at: string | null;
}

export interface BuildOrder {
  readonly service: string;
  readonly spec: ServiceSpec;
  readonly release: ResolvedRelease;
  readonly provenance: Provenance;
  readonly signal: AbortSignal;
}

export interface BuiltRelease extends SchemaFacts {
  /** Identifies the bits: of the release folder, or the id of the image; '' where the driver has none. */
  readonly digest: string;
}

export interface ReleaseBits {
  readonly service: string;
  readonly release_id: string;
  readonly digest: string;
}

export interface ProbeOptions {
  readonly timeout_ms: number;
  readonly signal: AbortSignal;
}

export interface ProbeExit {
  readonly exit_code: number;
  readonly timed_out: boolean;
}
