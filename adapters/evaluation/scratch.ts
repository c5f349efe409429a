import type { QdrantClient } from '@qdrant/js-client-rest';
import { dimensionsOf } from '../../domain/embedding.ts';
import { scratchProject } from '../../domain/evaluation/run.ts';
import type { GenerationRef } from '../../domain/generation/generation.ts';
import { collectionName } from '../../domain/generation/ids.ts';
import { lexicalVersion } from '../../domain/lexical/terms.ts';
import { embedWithCache } from '../embeddings/cached.ts';
import type { Embeddings } from '../embeddings/embedder.ts';
import { createProof } from '../generations/prove.ts';
import { createGenerationWriter } from '../generations/writer.ts';
import type { Sql } from '../postgres/connect.ts';
import { collectionsEnding, databaseIncarnation } from '../postgres/database-incarnation.ts';
import { createGenerationStore } from '../postgres/generations.ts';
import { createVectorStore } from '../postgres/vectors.ts';
import { ensureCollection } from '../qdrant/collections.ts';
import { scratchDocument, scratchSource, type ScratchDocument } from './scratch-document.ts';
import type { TestCollection } from './test-collection.ts';

export interface ScratchDeps {
  /** The data database. */
  readonly sql: Sql;
  readonly qdrant: QdrantClient;
  readonly embeddings: Embeddings;
}

export interface Ingest {
  readonly evaluation_id: string;
  readonly box: string;
  readonly collection: TestCollection;
  readonly signal: AbortSignal;
  /** With how many documents are written. */
  readonly beat: (documents: number) => void;
}

const batchSize = 32;

/**
 * Reads a collection into a project of its own, as a wave would: written unseen, proved, committed. Nobody can name that
 * project. The same evaluation again goes on where it was: what is embedded is kept.
 */
export async function ingest(
  deps: ScratchDeps,
  { evaluation_id, box, collection, signal, beat }: Ingest,
): Promise<{ documents: number; chunks: number }> {
  const { sql, qdrant } = deps;
  const project = scratchProject(evaluation_id);
  const generations = createGenerationStore(sql);
  await makeProject(sql, project, { box, title: `The collection ${collection.name}, for an evaluation` });
  const before = await generations.ofWave(evaluation_id);
  if (before?.state === 'committed') return { documents: before.documents ?? 0, chunks: before.chunks ?? 0 };

  const ref = await begin(deps, project, evaluation_id);
  const seen = new Set<string>();
  let batch: ScratchDocument[] = [];
  const flush = async () => {
    await writeBatch(deps, ref, batch, signal);
    beat(seen.size);
    batch = [];
  };
  for await (const document of collection.documents()) {
    if (seen.has(document.id)) continue;
    const made = scratchDocument(project, document);
    if (made === null) continue;
    seen.add(document.id);
    batch.push(made);
    if (batch.length === batchSize) await flush();
  }
  await flush();
  const proof = await createProof({ sql, qdrant }).prove(ref, { signal });
  if (!proof.ok) throw new Error(`the collection was not written whole: ${proof.reason}`);
  const committed = await generations.commit(ref);
  if (!committed.ok) throw new Error(`the collection cannot be made visible: ${committed.reason}`);
  return { documents: proof.detail.documents ?? 0, chunks: proof.detail.chunks ?? 0 };
}

async function begin(
  { sql, qdrant, embeddings }: ScratchDeps,
  project: string,
  wave_id: string,
): Promise<GenerationRef> {
  const incarnation = await databaseIncarnation(sql);
  const collection = `${collectionName(embeddings.key, lexicalVersion)}${await collectionsEnding(sql)}`;
  await ensureCollection(qdrant, collection, dimensionsOf(embeddings.key));
  const begun = await createGenerationStore(sql).begin({
    ...{ project, wave_id, parent: 0, incarnation, collection, identity: embeddings.key },
  });
  if (!begun.ok) throw new Error(`the collection cannot be written: ${begun.reason}`);
  return { project, number: begun.generation.number, incarnation };
}

async function writeBatch(
  { sql, qdrant, embeddings }: ScratchDeps,
  ref: GenerationRef,
  batch: readonly ScratchDocument[],
  signal: AbortSignal,
): Promise<void> {
  if (batch.length === 0) return;
  const texts = batch.flatMap((document) => document.texts);
  const vectors =
    embeddings.identity === null
      ? null
      : (await embedWithCache(embeddings, createVectorStore(sql), texts, signal)).vectors;
  let at = 0;
  const writes = batch.map(({ write: { document, chunks } }) => ({
    document,
    chunks: chunks.map((chunk) => ({ ...chunk, vector: vectors?.[at++] ?? null })),
  }));
  await createGenerationWriter({ sql, qdrant }).write(ref, writes, { signal });
}

async function makeProject(sql: Sql, id: string, { title, box }: { title: string; box: string }): Promise<void> {
  const spec = {
    title,
    description: '',
    aliases: [],
    box,
    sources: [{ kind: 'upload', name: scratchSource }],
    policy: {},
  };
  await sql`insert into projects (id, version, spec) values (${id}, 1, ${sql.json(spec)}) on conflict (id) do nothing`;
}

/** From now on it can be searched by its id. */
export async function keepScratch(sql: Sql, evaluationId: string): Promise<string> {
  const project = scratchProject(evaluationId);
  await sql`
    insert into project_names (name, project) values (${project}, ${project}) on conflict (name) do nothing`;
  return project;
}

/** Everything of it but its vectors, which the next evaluation of the same collection needs not make again. Repeatable. */
export async function removeScratch(
  { sql, qdrant }: Pick<ScratchDeps, 'sql' | 'qdrant'>,
  evaluationId: string,
): Promise<void> {
  const project = scratchProject(evaluationId);
  const rows = await sql<
    { collection: string }[]
  >`select distinct collection from generations where project = ${project}`;
  for (const { collection } of rows) {
    const filter = { must: [{ key: 'project', match: { value: project } }] };
    await qdrant.delete(collection, { filter, wait: true });
  }
  for (const table of ['term_counts', 'chunks', 'documents', 'project_names', 'generations']) {
    await sql`delete from ${sql(table)} where project = ${project}`;
  }
  await sql`delete from projects where id = ${project}`;
}
