// @ts-check
import { existsSync } from 'node:fs';

/**
 * The files that take longest, longest first: begun last, one of them would keep a run waiting alone. jest remembers how
 * long each took, but a clean checkout has no memory, and the size of a file says nothing here.
 */
const long = [
  'stack/containers',
  'stack/qdrant-environment',
  'faults/kills-dockerd',
  'stack/qdrant.contract',
  'workflows/deploy',
  'faults/start-first-docker',
  'faults/servers',
  'faults/kills-process',
  'activities/backup',
  'api/backups',
  'workflows/restore',
  'stack/external',
  'faults/broken-docker',
  'faults/kills-docker',
  'faults/broken-process',
  'adapters/docker/logs',
  'workflows/overrides',
  'cli/projects',
  'cli/usage',
  'adapters/memories/reconcile',
  'workflows/drill',
  'faults/races',
  'faults/waves',
  'cli/commands',
  'faults/said-meanwhile',
  'stack/up',
  'faults/kills-waves',
  'stack/postgres-container',
  'replay/replay',
  'adapters/docker/releases',
  'stack/model',
  'adapters/docker/start',
  'domain/generation/interleavings',
  'adapters/process/keeper',
  'adapters/docker/daemon',
  'faults/waves-servers',
  'adapters/projects/registrations',
  'adapters/drivers/process',
  'stack/download',
  'cli/exit-codes',
  'cli/mcp',
  'api/health',
  'adapters/search/search',
  'stack/qdrant-container',
  'adapters/embeddings/onnx',
  'faults/waves-refused',
  'api/waves',
  'faults/waves-reader',
].map((name) => new URL(`../${name}.test.ts`, import.meta.url).pathname);

/** @typedef {{ readonly path: string }} Test */

export default class Sequencer {
  /**
   * @template {Test} T
   * @param {readonly T[]} tests
   * @returns {T[]}
   */
  sort(tests) {
    const gone = long.filter((path) => !existsSync(path));
    if (gone.length > 0)
      throw new Error(`tests/support/sequencer.js names files that are not there: ${gone.join(', ')}`);
    return [...tests].sort((a, b) => rank(a) - rank(b) || (a.path < b.path ? -1 : 1));
  }

  /**
   * `--onlyFailures`: nothing is remembered.
   * @template {Test} T
   * @param {readonly T[]} tests
   * @returns {T[]}
   */
  allFailedTests(tests) {
    return [...tests];
  }

  cacheResults() {}
}

/** @param {Test} test */
function rank({ path }) {
  const at = long.indexOf(path);
  return at === -1 ? long.length : at;
}
