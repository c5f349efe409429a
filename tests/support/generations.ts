import type { QdrantClient } from '@qdrant/js-client-rest';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { createGarbage } from '../../adapters/generations/collection.ts';
import { createProof } from '../../adapters/generations/prove.ts';
import { createReconciliation } from '../../adapters/generations/reconcile.ts';
import { createGenerationWriter } from '../../adapters/generations/writer.ts';
import { connect, type Sql } from '../../adapters/postgres/connect.ts';
import { databaseIncarnation } from '../../adapters/postgres/database-incarnation.ts';
import { createGenerationStore } from '../../adapters/postgres/generations.ts';
import { createPinStore } from '../../adapters/postgres/pins.ts';
import { ensureCollection } from '../../adapters/qdrant/collections.ts';
import { dimensionsOf, embeddedSha256, normalise, textToEmbed } from '../../domain/embedding.ts';
import type { GenerationRef } from '../../domain/generation/generation.ts';
import { collectionName, documentKey } from '../../domain/generation/ids.ts';
import type { DocumentWrite, NewChunk } from '../../domain/generation/writing.ts';
import { chunkWeights } from '../../domain/lexical/weights.ts';
import { freshDatabases, type TestDatabases } from './servers.ts';
import { qdrantClient, qdrantServer } from './qdrant.ts';

/** Vectors of 8 numbers, made of a hash: enough to be told from each other. */
const stubIdentity = 'stub:8:mean:-:-';
export const otherIdentity = 'other:4:mean:-:-';

export interface GenerationsGround {
  readonly databases: TestDatabases;
  readonly sql: Sql;
  readonly qdrant: QdrantClient;
  readonly generations: ReturnType<typeof createGenerationStore>;
  readonly writer: ReturnType<typeof createGenerationWriter>;
  readonly proof: ReturnType<typeof createProof>;
  readonly garbage: ReturnType<typeof createGarbage>;
  readonly pins: ReturnType<typeof createPinStore>;
  readonly reconciliation: ReturnType<typeof createReconciliation>;
  /** The collection of an identity, made when it is not there. */
  collection(identity?: string): Promise<string>;
  /** A project of its own, which has no generation yet. */
  project(): Promise<string>;
  close(): Promise<void>;
}

/** A data database, an operations database and collections of its own, on the servers of this test run. */
export async function generationsGround(): Promise<GenerationsGround> {
  const databases = await freshDatabases();
  const sql = connect(databases.dataUrl, { name: 'holdfast-test', max: 8 });
  const qdrant = qdrantClient(qdrantServer());
  const prefix = `t-${randomBytes(5).toString('hex')}`;
  const made = new Set<string>();
  const pins = createPinStore({ data: sql, ops: databases.ops });
  return {
    ...{ databases, sql, qdrant, pins },
    generations: createGenerationStore(sql),
    writer: createGenerationWriter({ sql, qdrant }),
    proof: createProof({ sql, qdrant }),
    garbage: createGarbage({ sql, ops: databases.ops, qdrant, pins }),
    reconciliation: createReconciliation({ sql, qdrant }),
    async collection(identity = stubIdentity) {
      const name = collectionName(identity, 'test', prefix);
      await ensureCollection(qdrant, name, dimensionsOf(identity));
      made.add(name);
      return name;
    },
    async project() {
      const id = `p-${randomBytes(5).toString('hex')}`;
      await sql`insert into projects (id, version, spec) values (${id}, 1, '{}')`;
      return id;
    },
    async close() {
      for (const name of made) await qdrant.deleteCollection(name);
      await sql.end();
      await databases.drop();
    },
  };
}

/** A path, and the texts of its chunks. */
export type Corpus = Readonly<Record<string, readonly string[]>>;

export interface BegunWave {
  readonly ref: GenerationRef;
  readonly wave_id: string;
  readonly parent: number;
}

/** A wave that has taken its number. */
export async function beginWave(
  ground: GenerationsGround,
  project: string,
  { identity = stubIdentity, wave_id = randomUUID() }: { identity?: string; wave_id?: string } = {},
): Promise<BegunWave> {
  const parent = (await ground.generations.standing(project))?.visible ?? 0;
  const incarnation = await databaseIncarnation(ground.sql);
  const collection = await ground.collection(identity);
  const answer = await ground.generations.begin({ project, wave_id, parent, incarnation, collection, identity });
  if (!answer.ok) throw new Error(`No generation was begun: ${answer.reason}`);
  return { ref: { project, number: answer.generation.number, incarnation }, wave_id, parent };
}

/** The documents of a corpus as a wave hands them over. `since`: what was visible when they came; they keep their key. */
export function documentsOf(project: string, corpus: Corpus, since = 0, identity = stubIdentity): DocumentWrite[] {
  return Object.entries(corpus).map(([path, texts]) => ({
    document: {
      ...{ key: documentKey(project, 'docs', path, since), source: 'docs', path, uri: null, title: path },
      ...{ media_type: 'text/plain', kind: 'corpus' as const, as_of: null, view: null, item: null, supersedes: null },
      ...{ content_sha256: sha256(texts.join('\n')), pipeline: 'test', bytes: texts.join('\n').length },
    },
    chunks: chunksOf(texts, identity),
  }));
}

function chunksOf(texts: readonly string[], identity: string): NewChunk[] {
  let start = 0;
  return texts.map((text, ordinal) => {
    const [text_start, text_end] = [start, start + text.length];
    start = text_end + 1;
    const embedded = textToEmbed([], text);
    const { indices, values } = chunkWeights(embedded);
    return {
      ...{ ordinal, heading: [], text_start, text_end, place: { lines: [ordinal + 1, ordinal + 1] }, text },
      ...{ embedded_sha256: embeddedSha256(embedded), terms: indices, weights: values },
      vector: vectorOf(embedded, dimensionsOf(identity)),
    };
  });
}

/** What a question or a text is, for an embedder that knows no meaning. */
function vectorOf(text: string, dimensions: number | null): Float32Array | null {
  if (dimensions === null) return null;
  const bytes = sha256(text);
  return normalise(Float32Array.from({ length: dimensions }, (_, at) => (bytes[at] ?? 0) - 127.5));
}

/** Writes, proves and commits in one go. Returns the number. */
export async function commitCorpus(
  ground: GenerationsGround,
  project: string,
  { put = {}, remove = [], identity = stubIdentity }: { put?: Corpus; remove?: readonly string[]; identity?: string },
): Promise<number> {
  const { ref } = await beginWave(ground, project, { identity });
  if (remove.length > 0) await ground.writer.remove(ref, keysOf(project, remove));
  await ground.writer.write(ref, documentsOf(project, put, 0, identity));
  const proof = await ground.proof.prove(ref);
  if (!proof.ok) throw new Error(proof.reason);
  const committed = await ground.generations.commit(ref);
  if (!committed.ok) throw new Error(committed.reason);
  return ref.number;
}

export function keysOf(project: string, paths: readonly string[]): string[] {
  return paths.map((path) => documentKey(project, 'docs', path, 0));
}

/** What a reader sees at a generation: the texts by path, out of the rows alone. */
export async function rowsAt(sql: Sql, project: string, generation: number): Promise<Record<string, string[]>> {
  const rows = await sql<{ path: string; text: string }[]>`
    select d.path, c.text from documents d join chunks c on c.project = d.project and c.document = d.key
      and c.born <= ${generation} and c.died > ${generation}
    where d.project = ${project} and d.born <= ${generation} and d.died > ${generation} order by d.path, c.ordinal`;
  const seen: Record<string, string[]> = {};
  for (const { path, text } of rows) (seen[path] ??= []).push(text);
  return seen;
}

/** Ids of the points that a reader's filter finds at a generation, in one collection. */
export async function pointsAt(
  { qdrant }: GenerationsGround,
  collection: string,
  project: string,
  generation: number,
): Promise<string[]> {
  const filter = {
    must: [
      { key: 'project', match: { value: project } },
      { key: 'born', range: { lte: generation } },
      { key: 'died', range: { gt: generation } },
    ],
  };
  const { points } = await qdrant.scroll(collection, { filter, limit: 10_000 });
  return points.map(({ id }) => String(id)).sort();
}

/** Every point of a project, with its marks. */
export async function allPoints(
  { qdrant }: GenerationsGround,
  collection: string,
  project: string,
): Promise<{ id: string; born: number; died: number }[]> {
  const filter = { must: [{ key: 'project', match: { value: project } }] };
  const { points } = await qdrant.scroll(collection, { filter, limit: 10_000, with_payload: true });
  return points
    .map(({ id, payload }) => ({ id: String(id), born: Number(payload?.['born']), died: Number(payload?.['died']) }))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** Every row of a project, as its point has to be. */
export async function allRows(sql: Sql, project: string): Promise<{ id: string; born: number; died: number }[]> {
  const rows = await sql<{ id: string; born: string; died: string }[]>`
    select id, born, died from chunks where project = ${project} order by id`;
  return rows.map(({ id, born, died }) => ({ id, born: Number(born), died: Number(died) }));
}

/** Sweeps or collects to the end, without waiting for readers. Returns the last step. */
export async function sweepAll(ground: GenerationsGround, project: string, settleMs = 0): Promise<string> {
  const incarnation = await databaseIncarnation(ground.sql);
  for (let number; (number = await ground.garbage.nextToSweep(project)) !== null;) {
    for (;;) {
      const step = await ground.garbage.sweep({ project, incarnation }, number, settleMs, async () => undefined);
      if (step.state === 'done') break;
      if (step.state !== 'more') return step.state;
    }
  }
  return 'done';
}

export async function collectAll(ground: GenerationsGround, project: string): Promise<string> {
  const incarnation = await databaseIncarnation(ground.sql);
  const floor = await ground.garbage.raiseFloor({ project, incarnation });
  for (;;) {
    const step = await ground.garbage.collect({ project, incarnation }, floor, async () => undefined);
    if (step.state !== 'more') return step.state;
  }
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
