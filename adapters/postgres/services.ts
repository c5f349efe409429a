import type { SchemaFacts } from '../../domain/deploy/instance.ts';
import type { RegistryRelease } from '../../domain/deploy/metadata.ts';
import type { Outcome } from '../../domain/deploy/words.ts';
import { serviceSpecSchema, type ServiceSpec } from '../../domain/service.ts';
import type { Sql } from './connect.ts';

export interface StoredService {
  readonly name: string;
  readonly spec: ServiceSpec;
  readonly desired: {
    readonly release_id: string | null;
    readonly state: 'running' | 'stopped';
    readonly epoch: number;
    readonly instance: string | null;
  };
  readonly safe_mode: boolean;
  readonly created_at: Date;
  readonly updated_at: Date;
}

export interface StoredRelease extends RegistryRelease {
  readonly digest: string;
  readonly config_hash: string;
  readonly branch: string | null;
  readonly committed_at: Date | null;
  readonly built_at: Date;
  readonly promoted_at: Date | null;
  /** Since when it counts as soaked: promoted, and good for soak_ms after that. */
  readonly soaked_at: Date | null;
  /** The last deploy of it, who asked for that, and what came of it. */
  readonly last_deploy_id: string | null;
  readonly deployed_by: string | null;
  readonly deployed_at: Date | null;
  readonly outcome: Outcome | null;
}

/** What a build knows of the release it made. */
export interface BuiltBits extends SchemaFacts {
  readonly release_id: string;
  readonly digest: string;
  readonly config_hash: string;
  readonly branch: string | null;
  /** ISO time. */
  readonly committed_at: string | null;
}

export interface Desired {
  readonly release_id: string | null;
  readonly state: 'running' | 'stopped';
  readonly instance: string | null;
}

interface ServiceRow extends Omit<StoredService, 'desired'> {
  readonly desired_release: string | null;
  readonly desired_state: 'running' | 'stopped';
  readonly desired_epoch: string;
  readonly desired_instance: string | null;
}

export type ServiceStore = ReturnType<typeof createServiceStore>;

/** Services, their desired state and their releases: rows of the operations database. */
export function createServiceStore(sql: Sql) {
  return {
    async register(name: string, spec: ServiceSpec): Promise<{ created: boolean }> {
      const [row] = await sql<{ created: boolean }[]>`
        insert into services (name, spec) values (${name}, ${sql.json(spec)})
        on conflict (name) do update set spec = excluded.spec, updated_at = now()
        returning (xmax = 0) as created`;
      return { created: row?.created === true };
    },

    async find(name: string): Promise<StoredService | null> {
      const [row] = await sql<ServiceRow[]>`select * from services where name = ${name}`;
      return row === undefined ? null : stored(row);
    },

    async list({ after = '', limit }: { after?: string; limit: number }): Promise<StoredService[]> {
      const rows = await sql<ServiceRow[]>`select * from services where name > ${after} order by name limit ${limit}`;
      return rows.map(stored);
    },

    /**
     * Changes what should run, unless it is not what the caller saw. The same change again, by a retried activity, is the
     * same epoch. Returns the new epoch; null when somebody else changed it first.
     */
    async setDesired(name: string, seenEpoch: number, desired: Desired): Promise<number | null> {
      const [changed] = await sql<{ epoch: string }[]>`
        update services set desired_release = ${desired.release_id}, desired_state = ${desired.state},
          desired_instance = ${desired.instance}, desired_epoch = desired_epoch + 1, updated_at = now()
        where name = ${name} and desired_epoch = ${seenEpoch} returning desired_epoch as epoch`;
      if (changed !== undefined) return Number(changed.epoch);
      const [same] = await sql<{ epoch: string }[]>`
        select desired_epoch as epoch from services where name = ${name} and desired_epoch = ${seenEpoch + 1}
          and desired_release is not distinct from ${desired.release_id} and desired_state = ${desired.state}
          and desired_instance is not distinct from ${desired.instance}`;
      return same === undefined ? null : Number(same.epoch);
    },

    async setSafeMode(name: string): Promise<void> {
      await sql`update services set safe_mode = true, updated_at = now() where name = ${name}`;
    },

    /** False when the service was not in safe mode. */
    async clearSafeMode(name: string): Promise<boolean> {
      const rows = await sql`
        update services set safe_mode = false, updated_at = now() where name = ${name} and safe_mode returning 1`;
      return rows.length > 0;
    },

    /** Newest first: by promotion, then by build. */
    releases: (name: string): Promise<StoredRelease[]> => sql<StoredRelease[]>`
      select release_id, standing, digest, config_hash, branch, committed_at, schema_version, schema_reads_to, built_at,
        promoted_at, soaked_at, last_deploy_id, deployed_by, deployed_at, outcome
      from releases where service = ${name} order by promoted_at desc nulls last, built_at desc`,

    /** The specification that a release was proved with; null when it never was. It may hold secrets. */
    async promotedSpec(name: string, releaseId: string): Promise<(ServiceSpec & { readonly box: string }) | null> {
      const [row] = await sql<{ promoted_spec: unknown }[]>`
        select promoted_spec from releases where service = ${name} and release_id = ${releaseId}`;
      return row?.promoted_spec == null ? null : readSpec(row.promoted_spec);
    },

    /** A release that is built again keeps what is known of it. */
    async recordBuilt(name: string, built: BuiltBits): Promise<void> {
      await sql`
        insert into releases ${sql({ service: name, ...built })}
        on conflict (service, release_id) do update set digest = excluded.digest, config_hash = excluded.config_hash,
          branch = coalesce(excluded.branch, releases.branch), committed_at = excluded.committed_at,
          schema_version = excluded.schema_version, schema_reads_to = excluded.schema_reads_to,
          standing = case releases.standing when 'gone' then 'built' else releases.standing end`;
    },

    async setStanding(name: string, releaseId: string, standing: StoredRelease['standing']): Promise<void> {
      await sql`
        update releases set standing = ${standing},
          promoted_at = case when ${standing} = 'good' then now() else promoted_at end,
          soaked_at = case when ${standing} = 'good' then soaked_at end
        where service = ${name} and release_id = ${releaseId}`;
    },

    /** Good, with the specification that it was proved with. */
    async promote(name: string, releaseId: string, spec: ServiceSpec): Promise<void> {
      await sql`
        update releases set standing = 'good', promoted_at = now(), promoted_spec = ${sql.json(spec)}
        where service = ${name} and release_id = ${releaseId}`;
    },

    async markSoaked(name: string, releaseId: string): Promise<void> {
      await sql`
        update releases set soaked_at = coalesce(soaked_at, now())
        where service = ${name} and release_id = ${releaseId} and standing = 'good'`;
    },

    /** The registry's word of the last deploy of a release. */
    async recordOutcome(
      name: string,
      releaseId: string,
      { deploy_id, actor, outcome }: { deploy_id: string; actor: string; outcome: Outcome },
    ): Promise<void> {
      await sql`
        update releases set last_deploy_id = ${deploy_id}, deployed_by = ${actor}, deployed_at = now(), outcome = ${outcome}
        where service = ${name} and release_id = ${releaseId}`;
    },
  };
}

function stored({
  desired_release,
  desired_state,
  desired_epoch,
  desired_instance,
  ...row
}: ServiceRow): StoredService {
  return {
    ...row,
    spec: readSpec(row.spec),
    desired: {
      release_id: desired_release,
      state: desired_state,
      epoch: Number(desired_epoch),
      instance: desired_instance,
    },
  };
}

/** Rows of earlier versions lack what came later; the schema's defaults fill it in. */
export function readSpec(stored: unknown): ServiceSpec & { readonly box: string } {
  return serviceSpecSchema.parse(stored) as ServiceSpec & { readonly box: string };
}
