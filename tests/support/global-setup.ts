import { chmod, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../infra/config.ts';
import { createReport } from '../../infra/stack/report.ts';
import { startStack } from '../../infra/stack/stack.ts';
import { buildWorkflowBundle } from './workflow-bundle.ts';

/**
 * The real servers that all tests share, in a data folder of their own that goes with them; only what was built before is
 * shared with the user's. A server that cannot be had fails the run.
 */
export default async function setup(): Promise<void> {
  process.env['HOLDFAST_TEST_BUNDLE'] ??= await buildWorkflowBundle();
  if (process.env['HOLDFAST_TEST_POSTGRES'] !== undefined && process.env['HOLDFAST_TEST_TEMPORAL'] !== undefined)
    return;

  const home = await mkdtemp(join(tmpdir(), 'holdfast-test-'));
  if (process.getuid?.() === 0) await chmod(home, 0o711);
  const usual = loadConfig();
  const config = {
    ...usual,
    home,
    temporal: { ...usual.temporal, namespace: 'holdfast' },
    postgres: { ...usual.postgres, database: 'holdfast' },
  };
  const report = createReport((line) => process.stderr.write(`${line}\n`));
  const stack = await startStack(config, report, { apps: false, signal: new AbortController().signal });
  process.env['HOLDFAST_TEST_POSTGRES'] = stack.database_url;
  process.env['HOLDFAST_TEST_TEMPORAL'] = stack.temporal_address;
  testServers.stop = () => stack.stop();
  await writeFile(join(home, 'README'), 'Servers of a Holdfast test run. May be removed when no test runs.\n');
}

/** Handed to global-teardown.ts, which jest runs in the same process. */
export const testServers: { stop: (() => Promise<void>) | null } = { stop: null };
