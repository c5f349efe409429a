import { configHash } from '../../domain/deploy/identity.ts';
import { serviceSpecSchema } from '../../domain/service.ts';

const spec = {
  run: { argv: ['node', 'app.js'], env: { A: '1', B: '2' }, cwd: '.', stop_timeout_ms: 10_000 },
  build: [{ argv: ['npm', 'ci'], timeout_ms: 600_000 }],
};

const image = { driver: 'docker', source: { image: 'app:1' } };
const inContainer = serviceSpecSchema.parse({ ...image, container: { binds: [{ source: '/a', target: '/b' }] } });
const withContainer = (container: object) => serviceSpecSchema.parse({ ...image, container });

test('D2 the order in which an environment was written makes no difference', () => {
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
])('D2 %s makes another configuration', (_name, other) => {
  expect(configHash(other)).not.toBe(configHash(spec));
});

test.each([
  ['a bind mount', { binds: [{ source: '/other', target: '/b' }] }],
  ['that it is read only', { binds: [{ source: '/a', target: '/b', read_only: true }] }],
  ['a port', { binds: [{ source: '/a', target: '/b' }], ports: [{ container: 80, host: 8080 }] }],
  ['the memory it may use', { binds: [{ source: '/a', target: '/b' }], memory_bytes: 8_000_000 }],
])('D2 in a container, %s makes another configuration', (_name, container) => {
  expect(configHash(withContainer(container))).not.toBe(configHash(inContainer));
});

test('D2 what a specification leaves to the defaults is the same as saying the defaults', () => {
  const said = { binds: [{ source: '/a', target: '/b', read_only: false }], dockerfile: 'Dockerfile', ports: [] };
  expect(configHash(withContainer(said))).toBe(configHash(inContainer));
});

test('D2 how long to wait for things is no part of the configuration', () => {
  const patient = { run: { ...spec.run, stop_timeout_ms: 1 }, build: [{ argv: ['npm', 'ci'], timeout_ms: 1_000 }] };
  expect(configHash(patient)).toBe(configHash(spec));
});
