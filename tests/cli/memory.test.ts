import { memoryCollection } from '../../adapters/memories/collection.ts';
import { connectQdrant } from '../../adapters/qdrant/connect.ts';
import { createdMemorySchema, forgottenMemorySchema } from '../../domain/memory/schemas.ts';
import { servers } from '../support/servers.ts';
import { startApiCli, type ApiCli } from './api-cli.ts';
import { answerOf, expectFailure } from './run-cli.ts';

let bench: ApiCli;
beforeAll(async () => {
  bench = await startApiCli();
});
afterAll(async () => {
  const collection = await memoryCollection(bench.api.databases.data);
  if (collection !== null) await connectQdrant(servers().qdrant).deleteCollection(collection.name);
  await bench.close();
});

const cli = (...args: string[]) => bench.cli.run(args);

test('C6 create, show, list, search, forget, as a script does it', async () => {
  const made = await cli('memory', 'create', 'the', 'spare key', '--type', 'episodic', '--confidence', '0.5', '--json');
  expect(made.exitCode).toBe(0);
  const { id, indexed } = createdMemorySchema.parse(answerOf(made));
  expect(indexed).toBe(true);
  const shown = await cli('memory', 'show', id);
  expect(shown.stdout).toContain(`${id}: episodic, current`);
  expect(shown.stdout).toContain('the spare key');
  expect((await cli('memory', 'list', '--type', 'episodic')).stdout).toContain(id);
  expect((await cli('memory', 'list', '--type', 'identity')).stdout).not.toContain(id);
  const found = await cli('memory', 'search', 'spare', 'key');
  // This API has no model.
  expect([found.exitCode, found.stderr]).toEqual([3, expect.stringContaining('degraded: lexical_only')]);
  expect(found.stdout).toContain(id);

  expectFailure(await cli('memory', 'forget', id), 2, /--confirm/, /memory forget --help/);
  const forgotten = await cli('memory', 'forget', id, '--confirm', id, '--json');
  expect(forgottenMemorySchema.parse(answerOf(forgotten))).toMatchObject({ id, point: 'removed' });
  expectFailure(await cli('memory', 'show', id), 5, /There is no memory/, /holdfast memory list/);
});

test('C6 another type is refused with the list', async () => {
  const end = await cli('memory', 'create', 'fine', '--type', 'mood');
  expectFailure(end, 2, /type: one of identity, preference, project, episodic, knowledge, adaptation/, /--help/);
  expect((await cli('memory', 'create', 'fine')).exitCode).toBe(2);
  expect((await cli('memory', 'create', 'fine', '--type', 'identity', '--confidence', '2')).exitCode).toBe(2);
});
