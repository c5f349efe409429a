import { configHash } from '../../domain/deploy/identity.ts';

const spec = {
  run: { argv: ['node', 'app.js'], env: { A: '1', B: '2' }, cwd: '.', stop_timeout_ms: 10_000 },
  build: [{ argv: ['npm', 'ci'], timeout_ms: 600_000 }],
};

test('the order in which an environment was written makes no difference', () => {
  const turned = { ...spec, run: { ...spec.run, env: { B: '2', A: '1' } } };
  expect(configHash(spec)).toMatch(/^sha256:[0-9a-f]{64}$/);
  expect(configHash(turned)).toBe(configHash(spec));
});

test.each([
  ['a value in the environment', { ...spec, run: { ...spec.run, env: { A: '1', B: '3' } } }],
  ['a name in the environment', { ...spec, run: { ...spec.run, env: { A: '1', C: '2' } } }],
  ['an argument', { ...spec, run: { ...spec.run, argv: ['node', 'other.js'] } }],
  ['where arguments part', { ...spec, run: { ...spec.run, argv: ['node app.js'] } }],
  ['the folder', { ...spec, run: { ...spec.run, cwd: 'sub' } }],
  ['a build step', { ...spec, build: [] }],
])('%s makes another configuration', (_name, other) => {
  expect(configHash(other)).not.toBe(configHash(spec));
});

test('how long to wait for things does not', () => {
  const patient = { run: { ...spec.run, stop_timeout_ms: 1 }, build: [{ argv: ['npm', 'ci'], timeout_ms: 1_000 }] };
  expect(configHash(patient)).toBe(configHash(spec));
});
