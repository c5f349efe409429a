import { foldName, resolveProjectName, type Resolved } from '../../domain/project/names.ts';
import type { ProjectSpec } from '../../domain/project/schemas.ts';
import { storedSpec } from '../../domain/project/template.ts';
import type postgres from 'postgres';

export interface StoredProject {
  readonly project: string;
  /** Of the registration in force. */
  readonly version: number;
  readonly spec: ProjectSpec;
  readonly last_number: number;
  /** 0: nothing was ever committed. */
  readonly visible: number;
  readonly gc_floor: number;
  readonly held: boolean;
  readonly created_at: Date;
  readonly updated_at: Date;
}

interface ProjectRow extends Omit<StoredProject, 'spec' | 'last_number' | 'visible' | 'gc_floor'> {
  readonly spec: unknown;
  readonly last_number: string;
  readonly visible: string;
  readonly gc_floor: string;
}

export type ProjectStore = ReturnType<typeof createProjectStore>;

/** Approved projects and their names. What changes a registration is in registrations.ts, a generation in generations.ts. */
export function createProjectStore(data: postgres.ISql) {
  /** Of each name, as it was written, the project that it means; one that nobody has is not in the answer. */
  async function resolveAll(names: readonly string[]): Promise<ReadonlyMap<string, Resolved>> {
    const rows = await data<{ name: string; project: string }[]>`
      select name, project from project_names where name = any(${names.map(foldName)})`;
    const known = new Map(rows.map(({ name, project }) => [name, project]));
    const found = names.map((name) => [name, resolveProjectName(name, known)] as const);
    return new Map(found.filter((entry): entry is [string, Resolved] => entry[1] !== null));
  }

  return {
    resolveAll,

    resolve: async (name: string): Promise<Resolved | null> => (await resolveAll([name])).get(name) ?? null,

    /** By its id. */
    async find(id: string): Promise<StoredProject | null> {
      const [row] = await data<ProjectRow[]>`select ${columns(data)} from projects where id = ${id}`;
      return row === undefined ? null : stored(row);
    },

    /** By id. `among`: of these only; null: all. */
    async list(page: { after?: string; limit: number; among?: readonly string[] | null }): Promise<StoredProject[]> {
      const { after = '', limit, among = null } = page;
      const rows = await data<ProjectRow[]>`
        select ${columns(data)} from projects
        where id > ${after} ${among === null ? data`` : data`and id = any(${[...among]})`} order by id limit ${limit}`;
      return rows.map(stored);
    },
  };
}

function columns(data: postgres.ISql) {
  return data`id as project, version, spec, last_number, visible, gc_floor, held, created_at, updated_at`;
}

function stored(row: ProjectRow): StoredProject {
  return {
    ...row,
    spec: storedSpec(row.spec),
    last_number: Number(row.last_number),
    visible: Number(row.visible),
    gc_floor: Number(row.gc_floor),
  };
}
