import js from '@eslint/js';
import boundaries from 'eslint-plugin-boundaries';
import jest from 'eslint-plugin-jest';
import tseslint from 'typescript-eslint';

// The arrows of docs/explanation/design.md: what each folder may import.
const arrows = {
  domain: [],
  adapters: ['domain'],
  activities: ['domain', 'adapters'],
  workflows: ['domain'],
  // Only api/main.ts, where it is put together, reads the configuration.
  api: ['domain', 'adapters', 'config'],
  cli: ['domain', 'config', 'stack'],
  // The set-up, which is beside the configuration, asks the stack what is missing.
  config: ['domain', 'stack'],
  stack: ['domain', 'adapters', 'config'],
  demo: ['domain', 'config', 'stack'],
  workers: ['domain', 'adapters', 'activities', 'workflows', 'config'],
  bench: ['domain', 'adapters', 'activities', 'workflows', 'workers', 'config', 'stack'],
  tests: '*',
};
const everything = Object.keys(arrows);

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', 'coverage/', '.cache/'] },
  js.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      'no-console': 'error',
      '@typescript-eslint/require-await': 'off',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'max-lines': ['error', { max: 350, skipBlankLines: true, skipComments: true }],
    },
  },
  {
    plugins: { boundaries: /** @type {import('eslint').ESLint.Plugin} */ (/** @type {unknown} */ (boundaries)) },
    settings: {
      'import/resolver': { typescript: { project: './tsconfig.json' } },
      'boundaries/elements': [
        { type: 'stack', pattern: 'infra/stack', partialMatch: false },
        { type: 'demo', pattern: 'infra/demo', partialMatch: false },
        { type: 'config', pattern: 'infra', partialMatch: false },
        ...['domain', 'adapters', 'activities', 'workflows', 'api', 'cli', 'workers', 'bench', 'tests'].map((type) => ({
          type,
          pattern: type,
          partialMatch: false,
        })),
      ],
    },
    rules: {
      'boundaries/dependencies': [
        'error',
        {
          default: 'disallow',
          policies: [
            ...Object.entries(arrows).map(([from, to]) => ({
              from: { element: { type: from } },
              allow: { to: { element: { types: { anyOf: to === '*' ? everything : [from, ...to] } } } },
            })),
            {
              from: { element: { type: 'workflows' } },
              allow: { to: { element: { type: 'activities' } }, dependency: { kind: 'type' } },
            },
          ],
        },
      ],
    },
  },
  {
    // The rules are pure: nothing from outside gets in, not even the time.
    files: ['domain/**'],
    rules: {
      'no-restricted-imports': ['error', { patterns: [{ regex: '^node:|^(fs|path|os|crypto|process)$' }] }],
      'no-restricted-globals': [
        'error',
        'process',
        'Buffer',
        'fetch',
        'setTimeout',
        'setInterval',
        'performance',
        'crypto',
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now' },
        { object: 'Math', property: 'random' },
      ],
    },
  },
  {
    files: ['adapters/**', 'activities/**', 'workflows/**', 'api/**'],
    ignores: ['api/main.ts'],
    rules: {
      'no-restricted-properties': ['error', { object: 'process', property: 'env' }],
    },
  },
  { files: ['tests/**/*.test.ts'], ...jest.configs['flat/recommended'] },
  {
    files: ['tests/**/*.test.ts'],
    rules: {
      'jest/expect-expect': ['error', { assertFunctionNames: ['expect', 'expect*', 'fc.assert'] }],
      'jest/no-conditional-expect': 'off',
      'jest/no-standalone-expect': 'off',
    },
  },
  { files: ['infra/**', 'cli/**', 'workers/main.ts', 'bench/**'], rules: { 'no-console': 'off' } },
  {
    files: ['**/*.js'],
    ...tseslint.configs.disableTypeChecked,
    // tsc checks these files too, and knows what Node has.
    rules: { ...tseslint.configs.disableTypeChecked.rules, 'no-undef': 'off' },
  },
);
