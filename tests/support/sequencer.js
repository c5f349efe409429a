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
  'workflows/deploy',
  'faults/servers',
  'stack/qdrant.contract',
  'faults/broken-process',
  'faults/start-first-docker',
  'stack/qdrant-environment',
  'faults/broken-docker',
  'faults/kills-docker',
  'faults/kills-process',
  'workflows/overrides',
  'stack/external',
  'domain/generation/interleavings',
  'adapters/docker/logs',
  'adapters/docker/daemon',
  'adapters/docker/start',
  'cli/usage',
  'cli/projects',
  'faults/said-meanwhile',
  'faults/waves-servers',
  'cli/commands',
  'faults/races',
  'stack/up',
  'stack/postgres-container',
  'adapters/search/search',
  'adapters/sources/wave-diff',
  'stack/model',
  'adapters/embeddings/onnx',
  'stack/doctor',
  'stack/qdrant-container',
  'stack/servers',
  'stack/download',
  'adapters/docker/releases',
  'adapters/process/keeper',
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
