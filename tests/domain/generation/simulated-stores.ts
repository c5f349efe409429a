import { differences, repairPoints, type Count, type Mark } from '../../../domain/generation/comparison.ts';
import { alive, aliveAt, type GenerationState } from '../../../domain/generation/generation.ts';
import { isUnfinished, type GenerationStanding } from '../../../domain/generation/rules.ts';

/** Rules that a simpler design would leave out. Taking one away has to be noticed. */
export interface KeptRules {
  readonly parentIsChecked: boolean;
  readonly incarnationIsChecked: boolean;
  readonly rollbackDoomsWaves: boolean;
  readonly sweepComesBeforeWriting: boolean;
  readonly latestIsSweptFirst: boolean;
  readonly readersAreWaitedFor: boolean;
  readonly pinsAreLookedFor: boolean;
  readonly proofCompares: boolean;
  readonly answersAreJoinedToRows: boolean;
  readonly numbersAreNeverUsedAgain: boolean;
}

export const everyRule: KeptRules = {
  parentIsChecked: true,
  incarnationIsChecked: true,
  rollbackDoomsWaves: true,
  sweepComesBeforeWriting: true,
  latestIsSweptFirst: true,
  readersAreWaitedFor: true,
  pinsAreLookedFor: true,
  proofCompares: true,
  answersAreJoinedToRows: true,
  numbersAreNeverUsedAgain: true,
};

export interface Row {
  readonly document: string;
  readonly key: string;
  readonly born: number;
  died: number;
}

export interface SimulatedGeneration extends GenerationStanding {
  state: GenerationState;
  endedAt: number;
}

/** The data database: everything in it changes in transactions, which here are functions. */
export interface SimulatedPostgres {
  incarnation: string;
  visible: number;
  last_number: number;
  gc_floor: number;
  held: boolean;
  readonly generations: Map<number, SimulatedGeneration>;
  /** Of chunks. */
  readonly rows: Map<string, Row>;
  /** Of documents, by their name and birth: no two of a name are alive. */
  readonly versions: Map<string, Row>;
}

export type SimulatedPoint = Pick<Row, 'born' | 'died'>;

/** A request to Qdrant on its way. Whoever sent it may be dead when it arrives. */
export interface Request {
  readonly apply: (points: Map<string, SimulatedPoint>) => void;
  readonly arrivesUntil: number;
  readonly sender: { over: boolean };
  state: 'under way' | 'done' | 'lost';
}

/** Documents and the texts of their chunks. */
export type Content = ReadonlyMap<string, readonly string[]>;

export function emptyPostgres(): SimulatedPostgres {
  const rest = { visible: 0, last_number: 0, gc_floor: 0, held: false };
  return { incarnation: 'life 0', ...rest, generations: new Map(), rows: new Map(), versions: new Map() };
}

export function copyOf(pg: SimulatedPostgres): SimulatedPostgres {
  return structuredClone(pg);
}

export function keysOf(document: string, texts: readonly string[]): string[] {
  return texts.map((text, ordinal) => `${document}/${ordinal}/${text}`);
}

/** The keys of all chunks, in one order. */
export function keysOfContent(content: Content): string[] {
  return [...content].flatMap(([document, texts]) => keysOf(document, texts)).sort();
}

/** What a reader is answered who holds this number: chunks of documents that are there. */
export function rowsAt(pg: SimulatedPostgres, generation: number): string[] {
  const there = [...pg.versions.values()].filter((version) => aliveAt(version, generation));
  const documents = new Set(there.map(({ document }) => document));
  const alive = [...pg.rows.values()].filter((row) => aliveAt(row, generation));
  return alive.map(({ document, key }) => (documents.has(document) ? key : `${key} without its document`)).sort();
}

/** As the unique index does. */
export function requireOneVersion(pg: SimulatedPostgres): void {
  const living = [...pg.versions.values()].filter(({ died }) => died === alive).map(({ document }) => document);
  if (new Set(living).size < living.length) throw new Error('Two of one document are alive');
}

export function unsweptOf(pg: SimulatedPostgres): number[] {
  const over = ['discarded', 'rolled_back'];
  return [...pg.generations.values()].filter(({ state }) => over.includes(state)).map(({ number }) => number);
}

export function doom(pg: SimulatedPostgres, now: number): void {
  for (const generation of pg.generations.values()) {
    if (isUnfinished(generation)) Object.assign(generation, { state: 'discarded', endedAt: now });
  }
}

const collection = 'one';

/** What makes the points with one number what the rows say, as the adapters do it. */
export function repairsOf(
  pg: SimulatedPostgres,
  points: ReadonlyMap<string, SimulatedPoint>,
  { mark, number }: { readonly mark: Mark; readonly number: number },
): Request['apply'][] {
  const rows = new Map([...pg.rows].map(([id, { died }]) => [id, { died, collection }]));
  const here = [...points].filter(([, point]) => point[mark] === number);
  const odd = here.filter(([id, { died }]) => pg.rows.get(id)?.[mark] !== number || pg.rows.get(id)?.died !== died);
  const missing = [...pg.rows].filter(([id, row]) => row[mark] === number && row.died > pg.gc_floor && !points.has(id));
  const marks = odd.map(([id, { died }]) => ({ id, died }));
  const { remove, redate } = repairPoints(collection, marks, rows, pg.gc_floor);
  return [
    ...missing.map(([id, { born, died }]) => put(id, { born, died })),
    ...[...redate].flatMap(([died, ids]) => ids.map((id) => setDied(id, died))),
    ...remove.map((id) => removal(id)),
  ];
}

export function differencesOf(pg: SimulatedPostgres, points: ReadonlyMap<string, SimulatedPoint>) {
  const counts = (all: Iterable<SimulatedPoint>): Count[] =>
    [...all]
      .filter(({ died }) => died > pg.gc_floor)
      .flatMap(({ born, died }): Count[] => [
        { collection, mark: 'born', number: born, count: 1 },
        { collection, mark: 'died', number: died, count: 1 },
      ]);
  return differences(counts(pg.rows.values()), counts(points.values()));
}

export function put(id: string, point: SimulatedPoint): Request['apply'] {
  return (points) => points.set(id, { ...point });
}

export function setDied(id: string, died: number): Request['apply'] {
  return (points) => {
    const point = points.get(id);
    if (point !== undefined) points.set(id, { born: point.born, died });
  };
}

export function removal(id: string): Request['apply'] {
  return (points) => points.delete(id);
}

/** Those that died with `from` die with `died`. */
export function changeDied(rows: ReadonlyMap<string, Row>, ids: readonly string[], from: number, died: number): void {
  for (const id of ids) {
    const row = rows.get(id);
    if (row?.died === from) row.died = died;
  }
}
