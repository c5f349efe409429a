import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { spawn, spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createReleaseFolders, type BuildRequest, type ReleaseFolders } from '../../../adapters/files/releases.ts';
import { findLabelled } from '../../../adapters/process/identity.ts';
import { until } from '../../support/box.ts';

const release_id = 'c'.repeat(40);
const service = 'web';

let root: string;
let folders: ReleaseFolders;
let exported: number;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'holdfast-releases-'));
  folders = createReleaseFolders({ root, env: process.env });
  exported = 0;
});
afterEach(() => {
  spawnSync('chmod', ['-R', 'u+w', root]);
  rmSync(root, { recursive: true, force: true });
});

const releases = () => join(root, service, 'releases');
const folder = () => join(releases(), release_id);
const step = (script: string, timeout_ms = 10_000) => ({ argv: [process.execPath, '-e', script], timeout_ms });

function build(more: Partial<BuildRequest> = {}) {
  const request: BuildRequest = {
    service,
    release_id,
    steps: [],
    env: {},
    export(into) {
      exported += 1;
      mkdirSync(join(into, 'src'));
      writeFileSync(join(into, 'src/app.js'), 'run');
      writeFileSync(join(into, 'start'), '#!/bin/sh\n', { mode: 0o755 });
      symlinkSync('src/app.js', join(into, 'main'));
      return Promise.resolve();
    },
    ...more,
  };
  return folders.build(request);
}

test('a release is built where nobody looks, then stands complete and read-only', async () => {
  const script = `const fs = require('node:fs');
    fs.writeFileSync('built.txt', process.env.BUILD_SHA);
    if (fs.readdirSync('..').includes('${release_id}')) process.exit(1);`;
  const built = await build({ steps: [step(script)], env: { BUILD_SHA: release_id } });
  expect(built).toEqual({ folder: folder(), digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) as string });
  expect(readdirSync(releases())).toEqual([release_id]);
  expect(readFileSync(join(folder(), 'built.txt'), 'utf8')).toBe(release_id);
  for (const name of ['', 'src', 'src/app.js', 'start', '.holdfast-release.json']) {
    expect(statSync(join(folder(), name)).mode & 0o222).toBe(0);
  }
  expect(statSync(join(folder(), 'start')).mode & 0o100).toBe(0o100);
  const marker = JSON.parse(readFileSync(join(folder(), '.holdfast-release.json'), 'utf8')) as object;
  expect(marker).toMatchObject({ release_id, digest: built.digest, built_at: expect.any(String) as string });
  expect(await folders.verify(service, release_id)).toBe('ok');
});

test('one that is there and intact is used as it is', async () => {
  const first = await build();
  const again = await build({ export: () => Promise.reject(new Error('was built again')) });
  expect(again).toEqual(first);
  expect(exported).toBe(1);
});

test('the digest is the same for the same content, on any day and in any place', async () => {
  const { digest } = await build();
  await folders.remove(service, release_id);
  expect(await folders.verify(service, release_id)).toBe('missing');
  expect((await build()).digest).toBe(digest);
  expect((await build({ service: 'other' })).digest).toBe(digest);
});

const appJs = () => join(folder(), 'src/app.js');
test.each<[string, () => void]>([
  [
    'a changed content',
    () => {
      writeFileSync(appJs(), 'rum');
    },
  ],
  [
    'a new file',
    () => {
      writeFileSync(join(folder(), 'src/new'), '');
    },
  ],
  [
    'a new empty folder',
    () => {
      mkdirSync(join(folder(), 'src/empty'));
    },
  ],
  [
    'a file that is gone',
    () => {
      rmSync(appJs());
    },
  ],
  [
    'a file that may be executed now',
    () => {
      chmodSync(appJs(), 0o755);
    },
  ],
  [
    'a link that points elsewhere',
    () => {
      rmSync(join(folder(), 'main'));
      symlinkSync('start', join(folder(), 'main'));
    },
  ],
  [
    'a link where a file was',
    () => {
      rmSync(appJs());
      symlinkSync('../start', appJs());
    },
  ],
  [
    'a marker that is gone',
    () => {
      rmSync(join(folder(), '.holdfast-release.json'));
    },
  ],
  [
    'a marker of another release',
    () => {
      writeFileSync(join(folder(), '.holdfast-release.json'), '{"release_id":"x"}');
    },
  ],
])('%s is noticed, and the release is built again beside it', async (_name, change) => {
  const { digest } = await build();
  spawnSync('chmod', ['-R', 'u+w', folder()]);
  change();
  expect(await folders.verify(service, release_id)).toBe('changed');
  expect((await build()).digest).toBe(digest);
  expect(exported).toBe(2);
  expect(await folders.verify(service, release_id)).toBe('ok');
  expect(readdirSync(releases()).filter((name) => name.startsWith('.changed-'))).toHaveLength(1);
  await folders.remove(service, release_id);
  expect(readdirSync(releases())).toEqual([]);
});

describe('a build that fails', () => {
  test('says which step, with what, and its last lines, and leaves no release', async () => {
    const script =
      'for (let n = 0; n < 100; n++) console.log(`line ${n}`); console.error("the reason"); process.exit(3)';
    const failed = build({ steps: [step(''), step(script)] });
    await expect(failed).rejects.toMatchObject({ type: 'BuildFailed' });
    await expect(failed).rejects.toThrow(/build step 2 .* ended with 3:\n(line \d+\n)+the reason$/);
    await expect(failed).rejects.not.toThrow('line 5\n');
    expect(readdirSync(releases())).toEqual([]);
    const log = readFileSync(join(root, service, 'builds', `${release_id}.log`), 'utf8');
    expect(log).toContain('line 0\n');
    expect(log).toContain('the reason\n');
  });

  test.each([
    ['took too long', step('setInterval(() => {}, 1000)', 300), 'took longer than 300 ms'],
    ['is no program', { argv: ['/no/such/tool'], timeout_ms: 1_000 }, 'could not be started'],
    ['was killed', step('process.kill(process.pid, "SIGKILL")'), 'ended with 137'],
  ])('because a step %s', async (_name, broken, message) => {
    const failed = build({ steps: [broken] });
    await expect(failed).rejects.toMatchObject({ type: 'BuildFailed' });
    await expect(failed).rejects.toThrow(message);
  });

  test('because it made something that is no file', async () => {
    const failed = build({ steps: [{ argv: ['mkfifo', 'pipe'], timeout_ms: 1_000 }] });
    await expect(failed).rejects.toMatchObject({ type: 'BuildFailed' });
    expect(readdirSync(releases())).toEqual([]);
  });

  test('because its source could not be exported', async () => {
    await expect(build({ export: () => Promise.reject(new Error('no source')) })).rejects.toThrow('no source');
    expect(readdirSync(releases())).toEqual([]);
  });
});

const ofBuild = () => findLabelled({ HOLDFAST_BUILD: releases() });

test('a build that is called off leaves no process and no release', async () => {
  const child = `require('node:child_process').spawn('sleep', ['1000'], { detached: true }); setInterval(() => {}, 1000)`;
  const building = build({ steps: [step(child)], signal: AbortSignal.timeout(400) });
  await expect(building).rejects.toMatchObject({ name: 'TimeoutError' });
  expect(readdirSync(releases())).toEqual([]);
  // The one that left the group is ended by the next build at the latest.
  await build();
  expect(ofBuild()).toEqual([]);
});

test('what a killed worker left, half a release and a step still at work, is gone after the next build', async () => {
  mkdirSync(join(releases(), '.partial-0123456789ab', 'deep'), { recursive: true });
  chmodSync(join(releases(), '.partial-0123456789ab', 'deep'), 0o555);
  const left = spawn('sleep', ['1000'], { detached: true, env: { ...process.env, HOLDFAST_BUILD: releases() } });
  await until(() => ofBuild().length === 1);
  await build();
  expect(left.exitCode ?? left.signalCode ?? ofBuild().length).not.toBe(1);
  expect(ofBuild()).toEqual([]);
  expect(readdirSync(releases())).toEqual([release_id]);
});

test('a step that leaves a daemon behind does not hang, and the daemon is gone', async () => {
  const daemon = `require('node:child_process').spawn('sleep', ['1000'], { detached: true, stdio: 'inherit' }).unref()`;
  const began = Date.now();
  await build({ steps: [step(daemon)] });
  expect(Date.now() - began).toBeLessThan(5_000);
  expect(ofBuild()).toEqual([]);
});

test('steps see the path and their own variables, not the secrets of the worker', async () => {
  folders = createReleaseFolders({ root, env: { ...process.env, DATABASE_URL: 'secret' } });
  await build({
    steps: [step('require("node:fs").writeFileSync("env", JSON.stringify(process.env))')],
    env: { A: 'a' },
  });
  const env = JSON.parse(readFileSync(join(folder(), 'env'), 'utf8')) as object;
  expect(env).toMatchObject({ A: 'a', PATH: process.env['PATH'] });
  expect(env).not.toHaveProperty('DATABASE_URL');
});

test('paths stay inside', async () => {
  expect(folders.pathInside(service, release_id, '.')).toBe(folder());
  expect(folders.pathInside(service, release_id, 'src')).toBe(join(folder(), 'src'));
  for (const path of ['..', '/etc', 'src/../../x']) {
    expect(() => folders.pathInside(service, release_id, path)).toThrow('is not inside the release folder');
  }
  for (const id of ['../x', 'main', '', 'C'.repeat(40)]) {
    await expect(folders.verify(service, id)).rejects.toThrow('Not the id of a release');
    await expect(folders.remove('../web', release_id)).rejects.toThrow('Not the name of a service');
  }
});

test('data lives beside the releases and stays', async () => {
  const data = await folders.dataFolder(service);
  writeFileSync(join(data, 'kept'), '');
  expect(await folders.dataFolder(service)).toBe(data);
  await build();
  await folders.remove(service, release_id);
  expect(existsSync(join(data, 'kept'))).toBe(true);
});
