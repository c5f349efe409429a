import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { readBuildInfo } from '../infra/build-info.ts';
import { loadConfig } from '../infra/config.ts';
import { packageRoot } from '../infra/package-root.ts';
import { measureColdSetup } from './cold-setup.ts';
import { measureStack } from './stack-figures.ts';

interface Proof {
  /** The tests of the pipeline, run at full size. */
  readonly tests: readonly string[];
  readonly figures?: () => Promise<Record<string, unknown>>;
  /** Other majors of Node on which all tests run, from npm's packages. */
  readonly nodes?: readonly number[];
}

const within = (folder: string, parts: readonly string[]): string[] => parts.map((part) => `tests/${folder}/${part}`);

const proofs: Readonly<Record<string, Proof>> = {
  deploy: {
    tests: ['domain', 'simulations', 'workflows', 'activities', 'adapters', 'faults'].map((part) => `tests/${part}`),
  },
  stack: {
    tests: ['tests/stack', 'tests/faults/kills-qdrant', 'tests/faults/servers'],
    figures: async () => ({ ...(await measureStack(loadConfig())), cold_setup: await measureColdSetup() }),
  },
  wave: {
    tests: [
      ...within('faults', ['waves', 'kills-waves']),
      ...within('workflows', ['wave', 'refresh-project', 'evaluation', 'collect-generations']),
      ...within('adapters', [
        'embeddings',
        'generations',
        'parsers',
        'projects',
        'qdrant',
        'search',
        'sources',
        'staging',
      ]),
      ...within('domain', ['chunk', 'evaluation', 'generation', 'lexical', 'project', 'search', 'source', 'wave']),
      ...within('api', ['projects', 'search', 'sources', 'token-scope', 'waves', 'webhook']),
      ...within('cli', ['projects']),
    ],
  },
  backup: {
    tests: [
      ...within('faults', ['backup', 'drills', 'kills-backup', 'kills-drill', 'kills-restore', 'restore-meets']),
      ...within('faults', ['kills-swap', 'kills-replacement']),
      ...within('stack', ['containers', 'empty-machine']),
      ...within('workflows', ['backup', 'prune', 'restore', 'push', 'drill', 'scheduled']),
      ...within('adapters', ['backup', 'restore', 'offsite', 'drill', 'memories']),
      ...within('activities', ['backup', 'prune', 'restore']),
      ...within('domain', ['backup', 'drill', 'memory', 'offsite']),
      ...within('api', ['backups', 'maintenance', 'memories', 'offsite']),
    ],
  },
  /** Every pipeline, as CI runs it. */
  nodes: { tests: [], nodes: [22, 24] },
};

/** `npm run proof <pipeline> [seed]`: the pipeline's proof at full size, its result under docs/evidence. */
async function main([name = '', givenSeed]: readonly string[]): Promise<number> {
  const proof = proofs[name];
  if (proof === undefined) {
    process.stderr.write(`holdfast: a proof of ${Object.keys(proofs).join(' or ')}, not '${name}'\n`);
    return 2;
  }
  const seed = Number(givenSeed ?? Date.now() % 1_000_000);
  // Before the tests, which leave a machine that is still busy.
  const figures = await proof.figures?.();
  const tests: Record<string, Counts> = {};
  if (proof.tests.length > 0) tests[process.versions.node] = runJest(process.execPath, proof.tests, seed);
  for (const major of proof.nodes ?? []) {
    const node = nodeOf(major);
    tests[node.version] = runJest(node.path, [], seed);
  }
  const result = {
    proof: name,
    command: `npm run proof ${name} ${seed}`,
    ...readBuildInfo(),
    at: new Date().toISOString(),
    seed,
    machine: { cores: cpus().length, cpu: cpus()[0]?.model, memory_gb: Math.round(totalmem() / 1024 ** 3) },
    tests_by_node: tests,
    ...(figures === undefined ? {} : { figures }),
  };
  const folder = join(packageRoot, 'docs/evidence');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(result, null, 2)}\n`);
  process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  return Object.values(tests).every(({ failed, passed }) => failed === 0 && passed > 0) ? 0 : 1;
}

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly seconds: number;
}

function runJest(node: string, paths: readonly string[], seed: number): Counts {
  const output = join(packageRoot, '.cache/proof-result.json');
  const since = performance.now();
  const { status } = spawnSync(node, ['node_modules/jest/bin/jest.js', '--json', `--outputFile=${output}`, ...paths], {
    cwd: packageRoot,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, HOLDFAST_PROOF_SIZE: paths.length > 0 ? 'full' : 'ci', HOLDFAST_PROOF_SEED: String(seed) },
  });
  const result = JSON.parse(readFileSync(output, 'utf8')) as Record<string, number>;
  const failed = (result['numFailedTests'] ?? 0) + (result['numRuntimeErrorTestSuites'] ?? 0);
  return {
    passed: result['numPassedTests'] ?? 0,
    failed: status === 0 ? failed : Math.max(failed, 1),
    skipped: result['numPendingTests'] ?? 0,
    seconds: Math.round((performance.now() - since) / 1000),
  };
}

/** Another major of Node, from npm's own packages of it, kept in .cache. */
function nodeOf(major: number): { path: string; version: string } {
  const name = `node-${process.platform}-${process.arch}`;
  const folder = join(packageRoot, '.cache', `node-${major}`);
  mkdirSync(folder, { recursive: true });
  spawnSync('npm', ['install', '--no-save', '--prefix', folder, `${name}@${major}`], { cwd: folder, stdio: 'ignore' });
  const path = join(folder, 'node_modules', name, 'bin/node');
  const { stdout } = spawnSync(path, ['--version'], { encoding: 'utf8' });
  return { path, version: stdout.trim().slice(1) };
}

process.exitCode = await main(process.argv.slice(2));
