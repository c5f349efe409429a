import type { Sql } from '../postgres/connect.ts';

/** A project as one statement saw it: generations.md, G8. */
export interface SeenProject {
  readonly project: string;
  /** What is answered at; 0: nothing was ever committed. */
  readonly generation: number;
  /** Of that generation; null at 0. */
  readonly seen: {
    readonly collection: string;
    readonly identity: string;
    /** Alive at it. */
    readonly chunks: number;
  } | null;
  /** In how many of its chunks each term of the question is; terms that are in none are left out. */
  readonly withTerm: ReadonlyMap<number, number>;
}

/** A generation that cannot be answered at. */
export class GenerationGone extends Error {
  override readonly name = 'GenerationGone';
  constructor(
    readonly project: string,
    readonly generation: number,
    why: string,
  ) {
    super(`${project} cannot be answered at generation ${generation}: ${why}`);
  }
}

export interface Wanted {
  readonly project: string;
  /** Default: what is visible. */
  readonly generation?: number | null;
  /** A wave asks its own generation before anybody else may. */
  readonly unseen?: boolean;
}

interface Row {
  readonly project: string;
  readonly gc_floor: string;
  readonly visible: string;
  readonly generation: string;
  readonly state: string | null;
  readonly collection: string | null;
  readonly identity: string | null;
  readonly chunks: string;
  readonly with_term: Readonly<Record<string, number>>;
}

/**
 * All projects of a question by one statement, so that each is whole and none is newer than another. A project that is not
 * there is left out. Throws GenerationGone.
 */
export async function seeProjects(
  sql: Sql,
  wanted: readonly Wanted[],
  terms: Iterable<number>,
): Promise<SeenProject[]> {
  const projects = wanted.map(({ project }) => project);
  const numbers = wanted.map(({ generation }) => (generation == null ? null : String(generation)));
  const rows = await sql<Row[]>`
    select p.id as project, p.gc_floor, p.visible, at.generation, g.state, g.collection, g.identity,
      coalesce(g.chunks, (select count(*) from chunks c
        where c.project = p.id and c.born <= at.generation and c.died > at.generation)) as chunks,
      coalesce((select jsonb_object_agg(t.term, t.chunks) from term_counts t
        where t.project = p.id and t.term = any(${[...terms].map(String)}::bigint[])
          and t.born <= at.generation and t.died > at.generation), '{}') as with_term
    from unnest(${projects}::text[], ${numbers}::bigint[]) with ordinality as wanted (project, generation, place)
    join projects p on p.id = wanted.project
    cross join lateral (select coalesce(wanted.generation, p.visible) as generation) at
    left join generations g on g.project = p.id and g.number = at.generation
    order by wanted.place`;
  const unseen = new Set(wanted.filter((each) => each.unseen === true).map(({ project }) => project));
  return rows.map((row) => seen(row, unseen.has(row.project)));
}

function seen(row: Row, unseen: boolean): SeenProject {
  const { project, collection, identity } = row;
  const generation = Number(row.generation);
  const why = generation === Number(row.visible) ? null : refusalOf(row, generation, unseen);
  if (why !== null) throw new GenerationGone(project, generation, why);
  const withTerm = new Map(Object.entries(row.with_term).map(([term, chunks]) => [Number(term), chunks]));
  const there = collection !== null && identity !== null;
  return { project, generation, withTerm, seen: there ? { collection, identity, chunks: Number(row.chunks) } : null };
}

function refusalOf({ state, gc_floor, visible }: Row, generation: number, unseen: boolean): string | null {
  if (unseen && (state === 'writing' || state === 'proved')) return null;
  if (state === null) return 'it was never begun';
  if (state !== 'committed') return `it is ${state.replace('_', ' ')}`;
  if (generation > Number(visible)) return 'it is not visible yet';
  return generation < Number(gc_floor) ? 'it was collected' : null;
}
