import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findTarget } from '../../cli/target.ts';
import { newTokenSchema } from '../../domain/access.ts';
import { configFor } from '../support/own-home.ts';
import { startApi, type TestApi } from '../api/start-api.ts';
import { answerOf, createCli, expectFailure } from './run-cli.ts';

let home: string;
beforeEach(() => (home = mkdtempSync(join(tmpdir(), 'holdfast-target-'))));
afterEach(() => rmSync(home, { recursive: true, force: true }));

function write(path: string, content: string): void {
  mkdirSync(join(home, path, '..'), { recursive: true });
  writeFileSync(join(home, path), content);
}
const running = (url: string) => write('run/stack.json', JSON.stringify({ api_url: url, temporal_ui: null }));
const profile = (url: string, token: string) => write('config.json', JSON.stringify({ url, token }));
const target = (env: Readonly<Record<string, string>> = {}) => findTarget(configFor(home, env));

describe('where the API is', () => {
  test('O3 named in the environment, else running here, else in config.json, else the usual port', () => {
    expect(target().url).toBe('http://127.0.0.1:8420');
    profile('https://holdfast.example/base/', 't');
    expect(target().url).toBe('https://holdfast.example/base');
    running('http://127.0.0.1:9001');
    expect(target().url).toBe('http://127.0.0.1:9001');
    expect(target({ HOLDFAST_URL: 'http://127.0.0.1:9002/' }).url).toBe('http://127.0.0.1:9002');
    expect(target({ HOLDFAST_URL: '' }).url).toBe('http://127.0.0.1:9001');
  });

  test('O3 what is wrong with config.json is said, without what stands in it', () => {
    for (const content of ['', '{', '[]', '{"url":"x","token":"hunter2"}', '{"url":"http://h","tokn":"hunter2"}']) {
      write('config.json', content);
      expect(() => target()).toThrow(/config\.json is not /);
      expect(() => target()).not.toThrow(/hunter2/);
    }
  });
});

describe('a token goes only where it belongs', () => {
  beforeEach(() => {
    write('secrets/admin-token', 'hf_admin\n');
    profile('https://holdfast.example', 'hf_mine');
  });

  test.each(['http://127.0.0.1:9', 'http://localhost:9', 'http://[::1]:9'])('O2 that of this machine to %s', (url) => {
    expect(target({ HOLDFAST_URL: url }).token).toBe('hf_admin');
  });

  test('O2 that of this machine to where its own stack says it is', () => {
    running('http://10.1.2.3:8420');
    expect(target().token).toBe('hf_admin');
  });

  test.each([
    'http://10.1.2.3:8420',
    'https://127.0.0.1.example',
    'https://localhost.example',
    'https://holdfast.example:1',
  ])('O2 none of them to %s', (url) => expect(target({ HOLDFAST_URL: url }).token).toBeNull());

  test('O2 that of config.json to the address beside it', () => {
    expect(target({ HOLDFAST_URL: 'https://holdfast.example/' }).token).toBe('hf_mine');
    profile('http://127.0.0.1:8420', 'hf_mine');
    expect(target().token).toBe('hf_admin');
    rmSync(join(home, 'secrets'), { recursive: true });
    expect(target().token).toBe('hf_mine');
  });

  test('O2 that of the environment to wherever the environment says', () => {
    expect(target({ HOLDFAST_URL: 'http://10.1.2.3', HOLDFAST_TOKEN: 'hf_given' }).token).toBe('hf_given');
  });
});

describe('with an API that runs', () => {
  let api: TestApi;
  beforeAll(async () => (api = await startApi()));
  afterAll(() => api.close());

  test('O3 what the stack left in the data folder is all that a command needs', async () => {
    running(api.url);
    write('secrets/admin-token', `${api.tokens.admin}\n`);
    const end = await createCli(home).run(['token', 'create', '--actor', 'ci', '--role', 'viewer', '--json']);
    const { token } = newTokenSchema.parse(answerOf(end));
    const asViewer = createCli(home, { HOLDFAST_TOKEN: token });
    expect((await asViewer.run(['service', 'list'])).exitCode).toBe(0);
    expectFailure(await asViewer.run(['token', 'list']), 4, /needs the role admin/, /holdfast token create/);
  });

  test('O3 a person without the admin token is told what to set', async () => {
    running(api.url);
    expectFailure(await createCli(home).run(['service', 'list']), 4, /Authorization|bearer/i, /HOLDFAST_TOKEN/);
  });
});
