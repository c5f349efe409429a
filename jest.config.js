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

/** @type {import('jest').Config} */
export default {
  rootDir: '.',
  testMatch: ['<rootDir>/tests/**/*.test.ts'],
  transform: {
    '^.+\\.[jt]s$': [
      '@swc/jest',
      {
        jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
        module: { type: 'commonjs' },
        sourceMaps: 'inline',
      },
    ],
  },
  transformIgnorePatterns: [`<rootDir>/node_modules/(?!(${esModules().map((f) => f.slice('node_modules/'.length)).join('|')})/)`],
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/.cache/'],
  testTimeout: 60_000,
};
