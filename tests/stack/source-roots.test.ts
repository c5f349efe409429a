import { ConfigError, loadConfig } from '../../infra/config.ts';

const home = '/var/lib/holdfast';
const rootsOf = (roots: string) => loadConfig({ HOLDFAST_HOME: home, HOLDFAST_SOURCE_ROOTS: roots }).sourceRoots;

test('W3 sources are allowed inside the data folder’s own, unless roots are named', () => {
  expect(rootsOf('')).toEqual(['/var/lib/holdfast/sources']);
  expect(rootsOf('/srv/notes:/mnt/..data:')).toEqual(['/srv/notes', '/mnt/..data']);
  expect(rootsOf('/var/lib/holdfast/sources:/var/lib/holdfast2')).toHaveLength(2);
});

test.each(['/', '/var/lib', '/var/lib/holdfast', '/srv:/var/lib/holdfast/', 'notes', '/srv:notes', ':'])(
  'W3 %j are no roots',
  (roots) => {
    expect(() => rootsOf(roots)).toThrow(ConfigError);
    expect(() => rootsOf(roots)).toThrow(/HOLDFAST_SOURCE_ROOTS/);
  },
);
