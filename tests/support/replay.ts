import type { WorkflowHandle } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../../infra/package-root.ts';
import { workflowBundle } from './workflow-bundle.ts';

export const historiesFolder = join(packageRoot, 'tests/replay/histories');

/** Only what is worth reading: a worker says a lot when it comes and goes. */
export function quietTemporal(): void {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
}

/**
 * A finished run must finish the same again. With HOLDFAST_RECORD_HISTORIES=<version>, its history is also written for
 * tests/replay, to be committed with that version.
 */
export async function replayFinished(handle: WorkflowHandle, name: string): Promise<void> {
  const history = await handle.fetchHistory();
  await Worker.runReplayHistory({ workflowBundle: workflowBundle() }, history, handle.workflowId);
  const version = process.env['HOLDFAST_RECORD_HISTORIES'];
  if (version === undefined) return;
  await mkdir(join(historiesFolder, version), { recursive: true });
  const title = name.replace(/^(overrides|the deploy state machine) /, '');
  const file = `${title.replaceAll(/[^A-Za-z0-9]+/g, '-').toLowerCase()}.json`;
  // On one line, and without the paths of this machine that stack traces have.
  await writeFile(
    join(historiesFolder, version, file),
    JSON.stringify(JSON.parse(historyToJSON(history))).replaceAll(`${packageRoot}/`, './'),
  );
}
