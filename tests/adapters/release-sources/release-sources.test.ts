import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGitSource } from '../../../adapters/git/source.ts';
import { createOperatorCommands } from '../../../adapters/process/operator-command.ts';
import { createReleaseSources, type ReleaseSources } from '../../../adapters/release-sources/release-sources.ts';
import type { LogTail } from '../../../adapters/release-sources/runtime-logs.ts';
import { releaseSources } from '../../../domain/deploy/words.ts';
import type { ServiceSpecInput } from '../../../domain/service.ts';
import { service, specOf } from '../../support/box.ts';
import { makeRepository } from '../../support/git-repository.ts';

const deployed = 'd'.repeat(40);
const before = 'b'.repeat(40);

let root: string;
beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'holdfast-sources-'))));
afterEach(() => rmSync(root, { recursive: true, force: true }));

function sources(tail: LogTail = () => Promise.resolve([]), timeout_ms = 5_000): ReleaseSources {
  const env = { ...process.env, SECRET: 'of the worker' };
  const home = join(root, 'services');
  return createReleaseSources({
    ...{ tail, timeout_ms },
    git: createGitSource({ root: home, env }),
    commands: createOperatorCommands({ root: home, env }),
  });
}

function question(input: Partial<ServiceSpecInput>, more = {}) {
  const spec = specOf({ driver: 'command', ...input, commands: { deploy: ['true'], ...input.commands } });
  return { service, spec, release_id: deployed, signal: new AbortController().signal, ...more };
}

const sh = (script: string) => ['sh', '-c', script];

test('D3 every source of a box is there under its name, and says nothing where it has nowhere to look', async () => {
  const all = sources();
  expect(['request', 'registry', ...Object.keys(all)]).toEqual([...releaseSources]);
  for (const [name, source] of Object.entries(all)) {
    expect(source.name).toBe(name);
    expect(await source.ask(question({}))).toEqual({ source: name, ids: null, reason: expect.any(String) as string });
  }
});

describe('D3 runtime', () => {
  let server: Server;
  let port: number;
  let body: string;
  beforeAll(async () => {
    server = createServer((request, response) => {
      if (request.url !== '/silent') response.end(body);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  const ask = (input: Partial<ServiceSpecInput>) => sources().runtime.ask(question(input));
  const probes = (path = '') => ({ http: { url: `http://127.0.0.1:${port}/${path}` }, timeout_ms: 500 });

  test('what the service says that it is runs before the change', async () => {
    body = JSON.stringify({ status: 'ok', build_sha: before });
    const expected = { source: 'runtime', ids: { release_id: before, previous_release_id: before }, reason: 'found' };
    expect(await ask({ probes: probes() })).toEqual(expected);
    const liveness = { http: { url: `http://127.0.0.1:${port}/` } };
    expect(await ask({ probes: { liveness } })).toEqual(expected);
  });

  test('behind a switch the switch is asked', async () => {
    body = JSON.stringify({ build_sha: before });
    const behind = {
      ...{ driver: 'process' as const, source: { git: '/repository' }, run: { argv: ['x', '{port}'] } },
      ...{ commands: undefined, traffic: { listen: { port } }, probes: { http: { url: 'http://127.0.0.1:{port}/' } } },
    };
    const spec = specOf(behind);
    const answer = await sources().runtime.ask({ ...question({}), spec });
    expect(answer.ids).toEqual({ release_id: before, previous_release_id: before });
  });

  test.each(['{}', 'fine', '{"build_sha":"unknown"}', '{"build_sha":7}', '{"build_sha":"two words"}'])(
    '%s is no answer',
    async (said) => {
      body = said;
      const reason = 'the service does not answer with a build_sha';
      expect(await ask({ probes: probes() })).toMatchObject({ ids: null, reason });
    },
  );

  test('a service that does not answer is no answer', async () => {
    const reason = 'the service does not answer with a build_sha';
    expect(await ask({ probes: probes('silent') })).toMatchObject({ ids: null, reason });
    expect(await ask({ probes: { http: { url: 'http://127.0.0.1:1/' } } })).toMatchObject({ ids: null, reason });
  });
});

describe('D3 runtime_logs', () => {
  const ask = (lines: readonly string[], more = {}) =>
    sources(() => Promise.resolve(lines)).runtime_logs.ask(question({}, more));

  test.each([
    ['equals', ['start release_id=r2 previous_release_id=r1'], 'r2', 'r1'],
    ['colon', ['release_id: r2, previous_release_id: r1.'], 'r2', 'r1'],
    ['JSON', ['{"release_id":"r2","previous_release_id":"r1"}'], 'r2', 'r1'],
    [
      'the newest',
      ['release_id=r0 previous_release_id=q', 'x', 'release_id=r2', 'previous_release_id: r1'],
      'r2',
      'r1',
    ],
    [
      'an id with punctuation',
      ['release_id="sha256:abc" previous_release_id=v1.2.3-rc+1'],
      'sha256:abc',
      'v1.2.3-rc+1',
    ],
    ['only the one before', ['previous_release_id=r1'], null, 'r1'],
    [
      'words for none',
      ['release_id=r2 previous_release_id=r1', 'release_id: null previous_release_id=none'],
      'r2',
      'r1',
    ],
  ])('%s', async (_name, lines, release_id, previous_release_id) => {
    const answer = await ask(lines, { release_id: release_id ?? deployed });
    expect(answer).toEqual({ source: 'runtime_logs', ids: { release_id, previous_release_id }, reason: 'found' });
  });

  test('while another release still runs, that is the one to go back to, not the one before it', async () => {
    const { ids } = await ask(['release_id=r2 previous_release_id=r1'], { release_id: 'r3' });
    expect(ids).toEqual({ release_id: 'r2', previous_release_id: 'r2' });
  });

  test.each([[[]], [['requested_release_id=r1 my_previous_release_id=r2']], [['release_id=']], [['release_id: -']]])(
    '%j is no answer',
    async (lines) => {
      expect(await ask(lines)).toMatchObject({ ids: null, reason: 'no release_id in the last 200 lines of the log' });
    },
  );

  test('200 lines are asked for, and a log that cannot be read is no answer', async () => {
    const asked: unknown[] = [];
    const tail: LogTail = (...args) => {
      asked.push(args);
      return Promise.reject(new Error('no\nlog'));
    };
    expect(await sources(tail).runtime_logs.ask(question({}))).toMatchObject({ ids: null, reason: 'no log' });
    expect(asked).toEqual([[service, 200]]);
  });

  test("the operator's own way to the log", async () => {
    const logs = sh('echo release_id=r2; echo "previous_release_id: $HOLDFAST_SERVICE$SECRET"');
    const answer = await sources().runtime_logs.ask(question({ commands: { logs } }, { release_id: 'r2' }));
    expect(answer.ids).toEqual({ release_id: 'r2', previous_release_id: service });
  });

  test('of more than 200 lines the last count, and half a line is none', async () => {
    const old = sh(`echo release_id=old; for i in $(seq 300); do echo $i; done`);
    expect(await sources().runtime_logs.ask(question({ commands: { logs: old } }))).toMatchObject({ ids: null });
    // What is kept of so long an output begins in the middle of the name.
    const name = 'previous_release_id=r1';
    const kept = 'release_id=r1\n'.length;
    const cut = [
      process.execPath,
      '-e',
      `process.stdout.write(${JSON.stringify(`${name}\n`)} + 'x'.repeat(${65_536 - kept}))`,
    ];
    expect(await sources().runtime_logs.ask(question({ commands: { logs: cut } }))).toMatchObject({ ids: null });
  });
});

describe('D3 git', () => {
  test('the commit that is deployed and its first parent, not the ones before the change', async () => {
    const repository = makeRepository(join(root, 'repository'));
    const first = repository.commit({ a: '1' });
    const second = repository.commit({ a: '2' });
    const input = { source: { git: repository.path, ref: 'main' } };
    const all = sources();
    const ask = async (release_id: string) => all.git.ask(question(input, { release_id }));
    expect(await ask(second)).toMatchObject({ ids: { release_id: second, previous_release_id: first } });
    expect(await ask(first)).toMatchObject({
      ids: null,
      reason: `${first} is the first commit, nothing was before it`,
    });

    // The mirror does not know this one yet; and it has two parents, of which the first is what was on main.
    repository.git('checkout', '--quiet', '-b', 'side', first);
    repository.commit({ b: '1' });
    repository.git('checkout', '--quiet', 'main');
    repository.git('merge', '--quiet', '--no-ff', '-m', 'merge', 'side');
    const merge = repository.git('rev-parse', 'HEAD');
    expect(await ask(merge)).toMatchObject({ ids: { release_id: merge, previous_release_id: second } });
    expect(await ask('v7')).toMatchObject({ ids: { release_id: merge, previous_release_id: second } });
  });

  test('a source that cannot be read is no answer, and no password is in the reason', async () => {
    const git = 'http://me:hunter2@127.0.0.1:1/repository.git';
    const answer = await sources().git.ask(question({ source: { git, ref: 'main' } }));
    expect(answer.ids).toBeNull();
    expect(answer.reason).not.toContain('hunter2');
  });
});

describe('D3 command', () => {
  const ask = (releases: string[], timeout_ms = 5_000) =>
    sources(undefined, timeout_ms).command.ask(question({ commands: { releases } }));

  test('what the operator says, who is told what is deployed', async () => {
    const releases = sh(`printf '{"release_id":"%s","previous_release_id":"v1","more":1}' "$HOLDFAST_RELEASE_ID"`);
    expect(await ask(releases)).toEqual({
      source: 'command',
      ids: { release_id: deployed, previous_release_id: 'v1' },
      reason: 'found',
    });
    const one = await ask(sh(`echo '{"previous_release_id":"v1"}'`));
    expect(one.ids).toEqual({ release_id: null, previous_release_id: 'v1' });
  });

  test.each([
    ['exit 3', 'commands.releases ended with 3'],
    ['echo v1', 'commands.releases did not print {release_id, previous_release_id}'],
    ['echo "{}"', 'commands.releases names no release'],
    [`echo '{"release_id":7}'`, 'commands.releases did not print {release_id, previous_release_id}'],
  ])('%s', async (script, reason) => {
    expect(await ask(sh(script))).toEqual({ source: 'command', ids: null, reason });
  });

  test('one that does not exist, or takes too long, is no answer', async () => {
    const reason = '/no/such/command cannot be started (ENOENT): install it or change commands.releases';
    expect(await ask(['/no/such/command'])).toEqual({ source: 'command', ids: null, reason });
    expect(await ask(sh('sleep 1000'), 400)).toEqual({
      source: 'command',
      ids: null,
      reason: 'no answer within 400 ms',
    });
  });

  test('one that is called off does not throw either', async () => {
    const off = { signal: AbortSignal.timeout(100) };
    const answer = await sources().command.ask(question({ commands: { releases: sh('sleep 1000') } }, off));
    expect(answer.ids).toBeNull();
  });
});
