import { pinOwner } from '../../domain/backup/run.ts';
import { mayPin } from '../../domain/generation/rules.ts';
import type { RunOfLock } from '../../domain/lock.ts';
import type { Sql } from './connect.ts';
import { lockProject } from './project-lock.ts';

export interface StoredPin {
  readonly project: string;
  readonly generation: number;
  readonly owner: string;
  readonly at: Date;
}

/** What a backup has pinned, and its run. */
export interface BackupPins {
  readonly owner: string;
  readonly run: RunOfLock;
  /** The run has said that it is over. */
  readonly closed: boolean;
}

export type PinStore = ReturnType<typeof createPinStore>;

/** G7. What holds generations in place, kept in the operations database: a restore takes no pin away and brings none back. */
export function createPinStore({ data, ops }: { readonly data: Sql; readonly ops: Sql }) {
  return {
    /**
     * `generation` null: what is visible. Returns the pinned one; null when it is collected, was never visible, or there is no
     * such project. Committed when this returns.
     */
    pin: (project: string, generation: number | null, owner: string): Promise<number | null> =>
      data.begin(async (tx) => {
        // Whatever is collected or swept is so before this, or sees the pin.
        const standing = await lockProject(tx, project);
        const wanted = generation ?? standing?.visible ?? 0;
        if (standing === null || !mayPin(wanted, standing)) return null;
        await ops`
          insert into pins (project, generation, owner) values (${project}, ${wanted}, ${owner}) on conflict do nothing`;
        return wanted;
      }),

    /** All pins of this owner, in this project or in every one. */
    async unpin(owner: string, project: string | null = null): Promise<void> {
      await ops`delete from pins where owner = ${owner} and (${project}::text is null or project = ${project})`;
    },

    /** Of every backup that holds something: one that was ended from outside lets go of nothing by itself. */
    ofBackups: (): Promise<BackupPins[]> =>
      ops<BackupPins[]>`
        select distinct p.owner, jsonb_build_object('workflow_id', r.workflow_id, 'run_id', r.run_id) as run,
          r.closed_at is not null as closed
        from pins p join backup_runs r on p.owner = ${pinOwner('')}::text || r.id::text and r.run_id is not null
        order by p.owner`,

    async list(project: string): Promise<StoredPin[]> {
      const rows = await ops<(Omit<StoredPin, 'generation'> & { generation: string })[]>`
        select project, generation, owner, at from pins where project = ${project} order by generation, owner`;
      return rows.map(({ generation, ...pin }) => ({ ...pin, generation: Number(generation) }));
    },
  };
}
