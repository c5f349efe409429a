import { createHash, randomUUID } from 'node:crypto';
import type { QdrantClient } from '@qdrant/js-client-rest';
import type { Embedder } from '../../../adapters/embeddings/embedder.ts';
import { createProof } from '../../../adapters/generations/prove.ts';
import { createGenerationWriter } from '../../../adapters/generations/writer.ts';
import { databaseIncarnation } from '../../../adapters/postgres/database-incarnation.ts';
import { createGenerationStore } from '../../../adapters/postgres/generations.ts';
import { ensureCollection } from '../../../adapters/qdrant/collections.ts';
import { connectQdrant } from '../../../adapters/qdrant/connect.ts';
import { createSearch, type Search, type Searched, type SearchScope } from '../../../adapters/search/search.ts';
import { dimensionsOf, embeddedSha256, embeddingKey, normalise, textToEmbed } from '../../../domain/embedding.ts';
import { collectionName, documentKey } from '../../../domain/generation/ids.ts';
import type { GenerationRef } from '../../../domain/generation/generation.ts';
import type { NewDocument } from '../../../domain/generation/writing.ts';
import { lexicalVersion, termHash, termsOf } from '../../../domain/lexical/terms.ts';
import { chunkWeights } from '../../../domain/lexical/weights.ts';
import { freshDatabases, servers, type TestDatabases } from '../../support/servers.ts';

/** A document of a test: each string is a chunk. */
export interface Doc extends Partial<Pick<NewDocument, 'kind' | 'item' | 'supersedes' | 'view' | 'as_of' | 'uri'>> {
  readonly path: string;
  readonly heading?: readonly string[];
  readonly chunks: readonly string[];
}

export interface World {
  readonly databases: TestDatabases;
  readonly qdrant: QdrantClient;
  readonly embedder: Embedder;
  /** With the embedder, unless told otherwise. */
  readonly search: (search: Partial<Search> & { query: string; projects: readonly Asked[] }) => Promise<Searched>;
  project(id: string): Promise<void>;
  /** A whole generation: these documents as they are to be, those that are removed; committed unless told otherwise. */
  wave(project: string, docs: readonly Doc[], options?: WaveOptions): Promise<GenerationRef>;
  commit(ref: GenerationRef): Promise<void>;
  close(): Promise<void>;
}

type Asked = string | (Partial<SearchScope> & { project: string });

interface WaveOptions {
  readonly removed?: readonly string[];
  readonly identity?: string;
  readonly end?: 'committed' | 'proved';
}

/** Directions of words, so that texts of like words are near each other; no model, and the same everywhere. */
export function wordEmbedder(dimensions = 64, model = 'words'): Embedder {
  const identity = {
    ...{ model, sha256: null, dimensions, pooling: 'served' as const, max_tokens: null },
    prefix: { passage: '', query: '' },
  };
  return {
    identity,
    key: embeddingKey(identity),
    embed: async (texts) => texts.map((text) => vectorOf(text, dimensions)),
    ready: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}

function vectorOf(text: string, dimensions: number): Float32Array {
  const vector = new Float32Array(dimensions);
  vector[0] = 0.01;
  for (const term of termsOf(text)) {
    const hash = termHash(term);
    const at = hash % dimensions;
    vector[at] = (vector[at] ?? 0) + (hash & 0x10000 ? 1 : -1);
  }
  return normalise(vector);
}

/** Real Postgres and Qdrant, with collections of its own; `given`: databases that somebody else drops. */
export async function createWorld(given?: TestDatabases, model?: Embedder): Promise<World> {
  const databases = given ?? (await freshDatabases());
  const { data: sql } = databases;
  const qdrant = connectQdrant(servers().qdrant);
  // Of a model of its own, so that its collections are its own too.
  const embedder = model ?? wordEmbedder(64, `words-${databases.database}`);
  const collections = new Set<string>();
  const writer = createGenerationWriter({ sql, qdrant });
  const generations = createGenerationStore(sql);
  const search = createSearch({ sql, qdrant, embedderOf: (key) => (key === embedder.key ? embedder : null) });

  async function begin(project: string, identity: string): Promise<GenerationRef> {
    const collection = collectionName(identity, lexicalVersion, databases.database);
    collections.add(collection);
    await ensureCollection(qdrant, collection, dimensionsOf(identity));
    const incarnation = await databaseIncarnation(sql);
    const [row] = await sql<{ visible: string }[]>`select visible from projects where id = ${project}`;
    const parent = Number(row?.visible);
    const begun = await generations.begin({
      project,
      wave_id: randomUUID(),
      parent,
      incarnation,
      collection,
      identity,
    });
    if (!begun.ok) throw new Error(begun.reason);
    return { project, number: begun.generation.number, incarnation };
  }

  async function commit(ref: GenerationRef): Promise<void> {
    const answer = await generations.commit(ref);
    if (!answer.ok) throw new Error(answer.reason);
  }

  return {
    databases,
    qdrant,
    embedder,
    commit,

    search: ({ projects, limit = 10, ...rest }) => search({ limit, scopes: projects.map(scopeOf), ...rest }),

    async project(id) {
      const spec = { title: id, sources: [{ kind: 'upload', name: 'notes' }], box: 'here' };
      await sql`insert into projects (id, version, spec) values (${id}, 1, ${sql.json(spec)})`;
    },

    async wave(project, docs, { removed = [], identity = embedder.key, end = 'committed' } = {}) {
      const ref = await begin(project, identity);
      const gone = removed.map((path) => documentKey(project, 'notes', path, 0));
      if (gone.length > 0) await writer.remove(ref, gone);
      const writes = await Promise.all(docs.map((doc) => documentWrite(project, doc, identity === embedder.key)));
      await writer.write(ref, writes);
      const proof = await createProof({ sql, qdrant }).prove(ref);
      if (!proof.ok) throw new Error(proof.reason);
      if (end === 'committed') await commit(ref);
      return ref;
    },

    async close() {
      for (const name of collections) await qdrant.deleteCollection(name);
      if (given === undefined) await databases.drop();
    },
  };

  async function documentWrite(project: string, { path, chunks, heading = [], ...more }: Doc, embedded: boolean) {
    let at = 0;
    const rows = chunks.map((text, ordinal) => {
      const whole = textToEmbed(heading, text);
      const { indices, values } = chunkWeights(whole, heading);
      const [text_start, text_end] = [at, at + text.length];
      at = text_end + 1;
      const vector = embedded ? vectorOf(whole, embedder.identity.dimensions) : null;
      return {
        ...{ ordinal, heading, text_start, text_end, place: { line: ordinal + 1 }, text },
        ...{ embedded_sha256: embeddedSha256(whole), terms: indices, weights: values, vector },
      };
    });
    const document: NewDocument = {
      ...{ key: documentKey(project, 'notes', path, 0), source: 'notes', path, uri: null, title: path },
      ...{ media_type: 'text/markdown', kind: 'corpus', as_of: null, view: null, item: null, supersedes: null },
      ...{ content_sha256: createHash('sha256').update(chunks.join('\n')).digest(), pipeline: 'test/1', bytes: at },
      ...more,
    };
    return { document, chunks: rows };
  }
}

function scopeOf(asked: Asked): SearchScope {
  const given = typeof asked === 'string' ? { project: asked } : asked;
  return { asked: given.project, resolved_by: 'id', ...given };
}
