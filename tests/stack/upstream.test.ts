import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../infra/package-root.ts';
import { builtTemporal } from '../../infra/stack/prerequisites.js';
import {
  embeddingModel,
  images,
  qdrantRelease,
  temporalRelease,
  type UpstreamFile,
} from '../../infra/stack/download/upstream.ts';

const x64 = { platform: 'linux', arch: 'x64' };
const arm64 = { platform: 'linux', arch: 'arm64' };

test('each machine has files of its own, as the projects name them', () => {
  const names = [x64, arm64].map((machine) => [temporalRelease(machine)?.url, qdrantRelease(machine)?.url]);
  expect(names.flat().map((url) => url?.split('/').at(-1))).toEqual([
    `temporal_cli_${builtTemporal}_linux_amd64.tar.gz`,
    'qdrant-x86_64-unknown-linux-musl.tar.gz',
    `temporal_cli_${builtTemporal}_linux_arm64.tar.gz`,
    'qdrant-aarch64-unknown-linux-musl.tar.gz',
  ]);
});

test.each([
  { platform: 'darwin', arch: 'arm64' },
  { platform: 'linux', arch: 'riscv64' },
])('for $platform on $arch there is nothing to download', (machine) => {
  expect([temporalRelease(machine), qdrantRelease(machine)]).toEqual([null, null]);
});

test('all is fetched over TLS, by version or revision, and no two share a place in the cache', () => {
  const releases = [x64, arm64].flatMap((machine) => [temporalRelease(machine), qdrantRelease(machine)]);
  const files: UpstreamFile[] = [...releases.filter((release) => release !== null), ...embeddingModel.files];
  for (const { url, checksum } of files) {
    for (const address of [url, checksum.url]) {
      expect(address).toMatch(/^https:\/\/.*\/(v\d+\.\d+\.\d+|[0-9a-f]{40})(\/|\?|$)/);
    }
  }
  const keys = files.map(({ key }) => key);
  expect(new Set(keys).size).toBe(7);
  expect(keys.filter((key) => /[^\w.-]/.test(key))).toEqual([]);
});

test('compose runs the same images', () => {
  const compose = readFileSync(join(packageRoot, 'infra/compose.yaml'), 'utf8');
  const used = [...compose.matchAll(/image: \$\{\w+:-([^}]+)\}/g)].map(([, image]) => image);
  expect(used.filter((image) => image?.startsWith('holdfast:') !== true).sort()).toEqual(Object.values(images).sort());
});
