import { readFileSync } from 'node:fs';

/** Packages that ship ES modules: jest runs CommonJS, so they are transformed like our own code. */
function esModules() {
  const { packages } = JSON.parse(readFileSync(new URL('package-lock.json', import.meta.url), 'utf8'));
  const folders = Object.keys(packages).filter((folder) => folder.startsWith('node_modules/'));
  return folders.filter((folder) => {
    try {
      return JSON.parse(readFileSync(new URL(`${folder}/package.json`, import.meta.url), 'utf8')).type === 'module';
    } catch {
      return false; // an optional package for another platform
    }
  });
}

/** @param {'typescript' | 'ecmascript'} syntax @returns {[string, unknown]} */
function swc(syntax) {
  const jsc = { parser: { syntax }, target: 'es2022' };
  return ['@swc/jest', { jsc, module: { type: 'commonjs' }, sourceMaps: 'inline' }];
}

const transformed = esModules().map((folder) => folder.slice('node_modules/'.length));

/** @type {import('jest').Config} */
export default {
  rootDir: '.',
  testMatch: ['<rootDir>/tests/**/*.test.ts'],
  globalSetup: '<rootDir>/tests/support/global-setup.ts',
  globalTeardown: '<rootDir>/tests/support/global-teardown.ts',
  transform: { '^.+\\.ts$': swc('typescript'), '^.+\\.js$': swc('ecmascript') },
  transformIgnorePatterns: [`<rootDir>/node_modules/(?!(${transformed.join('|')})/)`],
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/.cache/'],
  testSequencer: '<rootDir>/tests/support/sequencer.js',
  // Most of the time is spent waiting for what was killed to come back.
  maxWorkers: 4,
  // jest keeps what the modules of earlier files have left: a heap that grows makes every collection and every fork slower.
  workerIdleMemoryLimit: '400MB',
  testTimeout: 60_000,
};
