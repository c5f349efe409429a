import { Worker } from '@temporalio/worker';
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { historiesFolder, quietTemporal } from '../support/replay.ts';
import { workflowBundle } from '../support/workflow-bundle.ts';

const histories = readdirSync(historiesFolder, { recursive: true, encoding: 'utf8' }).filter((name) =>
  name.endsWith('.json'),
);

beforeAll(quietTemporal);

describe('O8 runs begun by an earlier version go on in this one', () => {
  test('there are histories of every outcome that this version can reach', () => {
    expect(histories.length).toBeGreaterThanOrEqual(10);
  });

  test.each(histories)('O8 replays %s', async (name) => {
    const history: unknown = JSON.parse(await readFile(join(historiesFolder, name), 'utf8'));
    await expect(Worker.runReplayHistory({ workflowBundle: workflowBundle() }, history)).resolves.toBeUndefined();
  });
});
