import type { Instance } from '../../domain/deploy/instance.ts';
import type { Sql } from './connect.ts';

export interface StoredInstance extends Instance {
  /** Larger is later; the order in which the log of a service continues. */
  readonly seq: number;
  /** False once it was given up. */
  readonly wanted: boolean;
  readonly created_at: Date;
}

type InstanceRow = Omit<StoredInstance, 'seq'> & { readonly seq: string };

export type InstanceStore = ReturnType<typeof createInstanceStore>;

/** Every start there was, and what it was started with. */
export function createInstanceStore(sql: Sql) {
  async function find(instance: string): Promise<StoredInstance | null> {
    const [row] = await sql<InstanceRow[]>`select * from instances where instance = ${instance}`;
    return row === undefined ? null : stored(row);
  }

  return {
    find,

    /** By whoever comes first: a retried activity finds the row, and with it the same port, as it was. */
    async place(instance: Instance): Promise<StoredInstance> {
      await sql`
        insert into instances
          (instance, service, release_id, deploy_id, run_id, role, spec, config_hash, digest, port, provenance)
        values (${instance.instance}, ${instance.service}, ${instance.release_id}, ${instance.deploy_id},
          ${instance.run_id}, ${instance.role}, ${sql.json(instance.spec)}, ${instance.config_hash},
          ${instance.digest}, ${instance.port}, ${sql.json({ ...instance.provenance })})
        on conflict (instance) do nothing`;
      const placed = await find(instance.instance);
      if (placed === null) throw new Error(`${instance.instance} was placed and is not there`);
      return placed;
    },

    /** From now on none of these is started, also by a start that comes late. */
    async giveUp(service: string, instances: readonly string[]): Promise<void> {
      await sql`
        update instances set wanted = false where service = ${service} and instance = any(${[...instances]})`;
    },

    /** All but these are given up; returns the ones that are left to take down, oldest first. */
    async giveUpOthers(service: string, keep: readonly string[]): Promise<readonly string[]> {
      const rows = await sql<{ instance: string }[]>`
        update instances set wanted = false where service = ${service} and wanted and instance <> all(${[...keep]})
        returning instance`;
      return rows.map(({ instance }) => instance);
    },

    /** Oldest first; `after`: only those that came later. */
    async list(service: string, { after = 0 }: { after?: number } = {}): Promise<StoredInstance[]> {
      const rows = await sql<InstanceRow[]>`
        select * from instances where service = ${service} and seq > ${after} order by seq`;
      return rows.map(stored);
    },

    /** When instances of this service were started again by the watch, since then, oldest first. */
    async restartsSince(service: string, since: Date): Promise<readonly Date[]> {
      const rows = await sql<{ created_at: Date }[]>`
        select created_at from instances where service = ${service} and created_at > ${since}
        and instance ~ '\\.r[0-9]+$' order by seq`;
      return rows.map(({ created_at }) => created_at);
    },
  };
}

function stored({ seq, ...row }: InstanceRow): StoredInstance {
  return { ...row, seq: Number(seq) };
}
