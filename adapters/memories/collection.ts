import type { QdrantClient } from '@qdrant/js-client-rest';
import { lexicalVersion } from '../../domain/lexical/terms.ts';
import { memoryCollectionName } from '../../domain/memory/collection.ts';
import type { Sql } from '../postgres/connect.ts';
import { createMemoryPointRows, type MemoryIndex } from '../postgres/memory-points.ts';

/** Where the points of memories are. */
export interface MemoryCollection {
  readonly name: string;
  readonly identity: string;
}

/** null: nothing was ever remembered in this database. */
export async function memoryCollection(data: Sql): Promise<MemoryCollection | null> {
  const index = await createMemoryPointRows(data).index();
  return index === null ? null : collectionOf(index);
}

export function collectionOf(index: MemoryIndex, identity = index.identity): MemoryCollection {
  return { name: memoryCollectionName(index, identity, lexicalVersion), identity };
}

/** For a database that is given up, such as a copy in which a drill was done: its points go, and those of no other. */
export async function dropMemoryIndex({ data, qdrant }: { readonly data: Sql; readonly qdrant: QdrantClient }) {
  const collection = await memoryCollection(data);
  if (collection !== null) await qdrant.deleteCollection(collection.name);
}
