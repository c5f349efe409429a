import type { QdrantClient, Schemas } from '@qdrant/js-client-rest';
import { randomBytes } from 'node:crypto';
import { qdrantClient, type QdrantServer } from '../../support/qdrant.ts';
import { ask, errorOf, type Answer } from './ask.ts';

export type Config = Schemas['CreateCollection'];
export type Point = Schemas['PointStruct'];

export const size4: Config = { vectors: { size: 4, distance: 'Dot' } };

export interface Ground {
  readonly server: QdrantServer;
  readonly client: QdrantClient;
  /** A name that nothing has; what gets it is removed after the test. */
  readonly name: () => string;
  /** A collection of its own, removed after the test. */
  readonly collection: (config?: Config, points?: readonly Point[]) => Promise<string>;
  /** A request to the path behind `/collections/`. */
  readonly ask: (
    method: Parameters<typeof ask>[1],
    path: string,
    request?: Parameters<typeof ask>[3],
  ) => Promise<Answer>;
}

/** Collections of the tests of one `describe`, which owns none of another's. */
export function ground(server: QdrantServer): Ground {
  const client = qdrantClient(server);
  const names: string[] = [];
  afterEach(async () => {
    for (const name of names.splice(0)) {
      await removeSnapshots(client, name);
      await client.deleteCollection(name);
    }
  });
  const name = (): string => {
    const made = randomName();
    names.push(made);
    return made;
  };
  return {
    server,
    client,
    name,
    async collection(config = size4, points = []) {
      const made = name();
      await fill(client, made, config, points);
      return made;
    },
    ask: (method, path, request) => ask(server, method, `/collections/${path}`, request),
  };
}

/** One collection for all tests of a `describe`, none of which may write to it. Gives its name. */
export function sharedCollection(
  server: QdrantServer,
  config: Config,
  points: readonly Point[],
  indexes: Readonly<Record<string, Schemas['PayloadFieldSchema']>> = {},
): () => string {
  const client = qdrantClient(server);
  const name = randomName();
  beforeAll(async () => {
    await fill(client, name, config, points);
    for (const [field_name, field_schema] of Object.entries(indexes))
      await client.createPayloadIndex(name, { field_name, field_schema, wait: true });
  });
  afterAll(async () => {
    await removeSnapshots(client, name);
    await client.deleteCollection(name);
  });
  return () => name;
}

/** Refused in the error envelope, as the client hands it on. */
export async function expectRefused(work: Promise<unknown>, status: number, message: RegExp): Promise<void> {
  const error = expect.stringMatching(message) as string;
  await expect(work).rejects.toMatchObject({ status, data: { status: { error } } });
}

/** Refused in the error envelope, without a result. */
export function expectRefusal(answer: Answer, status: number, message: RegExp): void {
  expect({ status: answer.status, error: errorOf(answer) }).toEqual({
    status,
    error: expect.stringMatching(message) as string,
  });
  expect(answer.body).not.toHaveProperty('result');
}

function randomName(): string {
  return `contract_${randomBytes(6).toString('hex')}`;
}

/** They outlive their collection, and then nobody can reach them any more. */
async function removeSnapshots(client: QdrantClient, name: string): Promise<void> {
  const snapshots = await client.listSnapshots(name).catch(() => []);
  for (const snapshot of snapshots) await client.deleteSnapshot(name, snapshot.name);
}

async function fill(client: QdrantClient, name: string, config: Config, points: readonly Point[]): Promise<void> {
  await client.createCollection(name, config);
  if (points.length > 0) await client.upsert(name, { points: [...points], wait: true });
}
