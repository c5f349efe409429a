import type { TransactionSql } from 'postgres';
import type { Manifest } from '../../domain/backup/manifest.ts';
import type { Sql } from '../postgres/connect.ts';
import { createPinStore } from '../postgres/pins.ts';
import type { Scope } from './collection-points.ts';

type Generations = Manifest['generations'];

/** G7, as a backup goes by it. Whoever gave the owner lets go of the pins. */
export function createPinnedGenerations(stores: { readonly data: Sql; readonly ops: Sql }, owner: string) {
  const pins = createPinStore(stores);
  return {
    /** Before the moment of the backup: what every project shows now stays. */
    async pinVisible(): Promise<void> {
      const projects = await stores.data<{ id: string }[]>`select id from projects order by id`;
      for (const { id } of projects) await pins.pin(id, null, owner);
    },

    /**
     * After it: a wave may have committed in between, or a project have come. False: what the moment shows was rolled back
     * since, and may be swept at any time; another moment is needed.
     */
    async pinSeen(generations: Generations): Promise<boolean> {
      for (const { project, visible } of generations) {
        const standing = await pins.list(project);
        if (standing.some((pin) => pin.owner === owner && pin.generation === visible)) continue;
        if ((await pins.pin(project, visible, owner)) === null) return false;
      }
      return true;
    },

    /** At the end: those of which nobody holds the pin any more. */
    async lost(generations: Generations): Promise<string[]> {
      const lost: string[] = [];
      for (const { project, visible } of generations) {
        const standing = await pins.list(project);
        if (!standing.some((pin) => pin.owner === owner && pin.generation === visible)) lost.push(project);
      }
      return lost;
    },
  };
}

/** What every project shows, and where its points are. */
export async function visibleGenerations(tx: TransactionSql): Promise<Generations> {
  const rows = await tx<{ project: string; visible: string; collection: string | null; identity: string | null }[]>`
    select p.id as project, p.visible, g.collection, g.identity from projects p
    left join generations g on g.project = p.id and g.number = p.visible order by p.id`;
  return rows.map((row) => ({ ...row, visible: Number(row.visible) }));
}

/** Of each collection that something is visible in: what is alive there. */
export function scopesOf(generations: Generations): ReadonlyMap<string, readonly Scope[]> {
  const scopes = new Map<string, Scope[]>();
  for (const { project, visible, collection } of generations) {
    if (collection === null) continue;
    const known = scopes.get(collection) ?? [];
    scopes.set(collection, [...known, { project, generation: visible }]);
  }
  return scopes;
}
