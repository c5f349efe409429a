import getPort from 'get-port';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { diagnose } from '../../infra/stack/doctor.ts';
import { prepareHome } from '../../infra/stack/home.ts';
import { configFor, createFolder } from '../support/own-home.ts';
import { servers } from '../support/servers.ts';

const folder = createFolder();
afterAll(() => folder.remove());

async function serverChecks(env: Record<string, string>): Promise<Record<string, unknown>> {
  const checks = await diagnose(configFor(join(folder.path, 'absent'), env));
  return Object.fromEntries(checks.map(({ id, state, found, advice }) => [id, { state, found, advice }]));
}

test('doctor asks servers of somebody else itself, also while Holdfast does not run', async () => {
  const { databaseUrl, temporalAddress, qdrant } = servers();
  const addresses = { DATABASE_URL: databaseUrl, TEMPORAL_ADDRESS: temporalAddress, QDRANT_URL: qdrant.url };
  expect(await serverChecks({ ...addresses, QDRANT_API_KEY: qdrant.apiKey ?? '' })).toMatchObject({
    postgres: { state: 'ok', found: expect.stringMatching(/; answers as \d+/) as string },
    temporal: { state: 'ok', found: expect.stringMatching(/; answers as \d+\./) as string },
    qdrant: { state: 'ok', found: expect.stringMatching(/; answers as \d+\./) as string },
  });
});

test('a server of somebody else that does not answer is a failure with the variable to check', async () => {
  const nobody = `127.0.0.1:${await getPort()}`;
  const env = {
    DATABASE_URL: `postgres://u:hunter2@${nobody}/x`,
    TEMPORAL_ADDRESS: nobody,
    QDRANT_URL: `http://${nobody}`,
  };
  const checks = await serverChecks(env);
  expect(checks).toMatchObject({
    postgres: { state: 'fail', advice: 'Check DATABASE_URL.' },
    temporal: { state: 'fail', advice: 'Check TEMPORAL_ADDRESS.' },
    qdrant: { state: 'fail', advice: 'Check QDRANT_URL and QDRANT_API_KEY.' },
  });
  expect(JSON.stringify(checks)).not.toContain('hunter2');
});

describe('the name of the box', () => {
  const home = join(folder.path, 'box');

  test('is kept when the host gets another one', async () => {
    const named = { ...configFor(home), boxIsGiven: false };
    await prepareHome({ ...named, box: 'first' });
    expect((await prepareHome({ ...named, box: 'renamed' })).box).toBe('first');
  });

  test('is that of HOLDFAST_BOX where it is set', async () => {
    expect((await prepareHome(configFor(home, { HOLDFAST_BOX: 'mine' }))).box).toBe('mine');
  });
});

test.each(['', '{"form', '{}', 'null'])('a damaged version.json is refused in one line: %j', async (content) => {
  const home = join(folder.path, 'damaged');
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, 'version.json'), content);
  await expect(prepareHome(configFor(home))).rejects.toMatchObject({
    name: 'StackError',
    message: expect.stringMatching(/^[^\n]*version\.json is damaged[^\n]*$/) as string,
  });
});
