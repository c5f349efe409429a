import type { Sql } from './connect.ts';

export interface Tombstone {
  readonly memory: string;
  readonly project: string | null;
  readonly type: string;
  readonly actor: string;
  readonly reason: string | null;
  readonly forgotten_at: Date;
}

export type TombstoneStore = ReturnType<typeof createTombstoneStore>;

const idsAtOnce = 1_000;

/** G12. What was forgotten, in the operations database: a restore of the data does not bring it back. */
export function createTombstoneStore(ops: Sql) {
  return {
    /** The first one counts. */
    async put({ memory, project, type, actor, reason }: Omit<Tombstone, 'forgotten_at'>): Promise<void> {
      await ops`
        insert into memory_tombstones (memory, project, type, actor, reason)
        values (${memory}, ${project}, ${type}, ${actor}, ${reason}) on conflict (memory) do nothing`;
    },

    find: async (memory: string): Promise<Tombstone | null> =>
      (
        await ops<Tombstone[]>`
          select memory, project, type, actor, reason, forgotten_at from memory_tombstones where memory = ${memory}`
      )[0] ?? null,

    /** The ids of all, some at a time. */
    async *all(): AsyncGenerator<readonly string[]> {
      for (let after = '00000000-0000-0000-0000-000000000000'; ;) {
        const rows = await ops<{ memory: string }[]>`
          select memory from memory_tombstones where memory > ${after} order by memory limit ${idsAtOnce}`;
        const last = rows.at(-1);
        if (last === undefined) return;
        yield rows.map(({ memory }) => memory);
        after = last.memory;
      }
    },
  };
}
