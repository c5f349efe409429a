// @ts-check
import { existsSync } from 'node:fs';

/**
 * The files that take longest, longest first: begun last, one of them would keep a run waiting alone. jest remembers how
 * long each took, but a clean checkout has no memory, and the size of a file says nothing here.
 */
const long = [
  'stack/containers',
  'faults/kills-waves',
  'faults/kills-dockerd',
  'faults/drills',
  'faults/backup-faults',
  'faults/kills-backup',
  'stack/qdrant.contract',
  'faults/kills-drill',
  'faults/kills-restore',
  'stack/qdrant-environment',
  'faults/servers',
  'faults/waves-reembed',
  'adapters/offsite/rsync',
  'faults/start-first-docker',
  'faults/backup-damage',
  'workflows/deploy',
  'activities/backup',
  'workflows/restore',
  'faults/broken-process',
  'faults/broken-docker',
  'faults/kills-process',
  'activities/restore',
  'stack/empty-machine',
  'stack/external',
  'faults/waves',
  'faults/kills-docker',
  'faults/waves-servers',
  'api/offsite',
  'faults/said-meanwhile',
  'api/backups',
  'adapters/docker/logs',
  'faults/restore-meets',
  'faults/backup-writers',
  'stack/up',
  'faults/races',
  'cli/commands',
  'adapters/docker/daemon',
  'cli/usage',
  'adapters/docker/start',
  'activities/prune',
  'replay/replay',
  'cli/projects',
  'workflows/overrides',
  'adapters/search/search',
  'stack/download',
  'api/waves',
  'faults/waves-poison',
  'stack/postgres-container',
  'adapters/switch/caddy',
  'workflows/push-retention',
  'adapters/docker/releases',
  'cli/mcp',
  'stack/model',
  'domain/generation/interleavings',
  'adapters/process/keeper',
  'adapters/projects/registrations',
  'adapters/drivers/process',
  'cli/exit-codes',
  'stack/qdrant-container',
  'adapters/embeddings/onnx',
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
