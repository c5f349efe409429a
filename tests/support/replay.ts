import type { Client } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunReference } from '../../adapters/temporal/start-alone.ts';
import { packageRoot } from '../../infra/package-root.ts';
import { workflowBundle } from './workflow-bundle.ts';

export const historiesFolder = join(packageRoot, 'tests/replay/histories');

/** Only what is worth reading: a worker says a lot when it comes and goes. */
export function quietTemporal(): void {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
}

/**
 * A finished run must finish the same again, and so must those that went on for it; one worker replays them all. With
 * HOLDFAST_RECORD_HISTORIES=<version>, their histories are also written for tests/replay, to be committed with that version.
 */
export async function replayFinished(
  client: Client,
  finished: readonly (RunReference & { readonly name: string })[],
): Promise<void> {
  const differ: string[] = [];
  const results = Worker.runReplayHistories({ workflowBundle: workflowBundle() }, historiesOf(client, finished));
  for await (const { workflowId, error } of results)
    if (error !== undefined) differ.push(`${workflowId}: ${error.message}`);
  expect(differ).toEqual([]);
}

async function* historiesOf(client: Client, finished: Parameters<typeof replayFinished>[1]) {
  for (const { workflow_id: workflowId, run_id, name } of finished)
    for (let [run, nth]: [string | null, number] = [run_id, 1]; run !== null; nth += 1) {
      const history = await client.workflow.getHandle(workflowId, run).fetchHistory();
      await recordHistory(history, nth === 1 ? name : `${name} ${nth}`);
      yield { workflowId, history };
      run = history.events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId ?? null;
    }
}

async function recordHistory(history: Parameters<typeof historyToJSON>[0], name: string): Promise<void> {
  const version = process.env['HOLDFAST_RECORD_HISTORIES'];
  if (version === undefined) return;
  await mkdir(join(historiesFolder, version), { recursive: true });
  const title = name.replace(/^(overrides|the (deploy|wave|backup|restore) state machine) /, '');
  const file = `${title.replaceAll(/[^A-Za-z0-9]+/g, '-').toLowerCase()}.json`;
  // On one line, and without the paths of this machine that stack traces have.
  await writeFile(
    join(historiesFolder, version, file),
    JSON.stringify(JSON.parse(historyToJSON(history))).replaceAll(`${packageRoot}/`, './'),
  );
}
