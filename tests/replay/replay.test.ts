import { Worker } from '@temporalio/worker';
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { historiesFolder, quietTemporal } from '../support/replay.ts';
import { workflowBundle } from '../support/workflow-bundle.ts';

const names = readdirSync(historiesFolder, { recursive: true, encoding: 'utf8' }).filter((name) =>
  name.endsWith('.json'),
);

/** What came of each. One worker replays them all, since most of a replay is the making of its worker. */
const replayed = new Map<string, Error | null>();

beforeAll(async () => {
  quietTemporal();
  const histories = await Promise.all(
    names.map(async (name) => ({
      workflowId: name,
      history: JSON.parse(await readFile(join(historiesFolder, name), 'utf8')) as unknown,
    })),
  );
  const results = Worker.runReplayHistories({ workflowBundle: workflowBundle() }, histories);
  for await (const { workflowId, error } of results) replayed.set(workflowId, error ?? null);
}, 180_000);

describe('O8 runs begun by an earlier version go on in this one', () => {
  test('there are histories of every outcome that this version can reach', () => {
    expect(names.length).toBeGreaterThanOrEqual(10);
  });

  test.each(names)('O8 replays %s', (name) => {
    expect([name, replayed.get(name)]).toEqual([name, null]);
  });
});
