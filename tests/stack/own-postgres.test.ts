import getPort from 'get-port';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { prepareHome, type Home } from '../../infra/stack/home.ts';
import { installedPrograms, type PostgresPrograms } from '../../infra/stack/postgres/programs.ts';
import { ownServer, postgresPart, postgresUrl, readyPostgres } from '../../infra/stack/postgres/postgres.ts';
import { supervise } from '../../infra/stack/supervised.ts';
import { compileTree } from '../support/compile.ts';
import { configFor, createFolder, environmentFor } from '../support/own-home.ts';

const folder = createFolder();
let home: Home;
let programs: PostgresPrograms;

beforeAll(async () => {
  home = await prepareHome(configFor(join(folder.path, 'home')));
  programs = await installedPrograms(home.path('pg', 'data'));
});
afterAll(() => folder.remove());

/** A process that makes the database, killed as soon as initdb is at work: initdb outlives it. */
async function killWhileMaking(): Promise<void> {
  const { program } = compileTree();
  const from = (path: string): string => JSON.stringify(pathToFileURL(program(path)).href);
  const script = `import { postgresPart } from ${from('infra/stack/postgres/postgres.js')};
    import { prepareHome } from ${from('infra/stack/home.js')};
    import { loadConfig } from ${from('infra/config.js')};
    await postgresPart(await prepareHome(loadConfig()), ${JSON.stringify(programs)}, 1);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    env: environmentFor(home.root),
    stdio: 'ignore',
  });
  const exit = once(child, 'exit');
  const isAtWork = (): boolean => {
    const partial =
      existsSync(home.path('pg')) && readdirSync(home.path('pg')).find((name) => /^data\.partial/.test(name));
    return typeof partial === 'string' && existsSync(home.path('pg', partial, 'base'));
  };
  while (!isAtWork()) await sleep(5);
  child.kill('SIGKILL');
  await exit;
}

const patience = { timeoutMs: 20_000, signal: new AbortController().signal };

test('an initdb that outlives its killed supervisor does not touch what the next one makes', async () => {
  await killWhileMaking();
  await postgresPart(home, programs, await getPort());
  expect(readdirSync(home.path('pg'))).toEqual(['data']);
}, 40_000);

test('a password that is not that of the data is said as that, not as a wrong DATABASE_URL', async () => {
  const port = await getPort();
  const postgres = await supervise(home, await postgresPart(home, programs, port), () => undefined);
  try {
    await readyPostgres(await postgresUrl(home, port), 'holdfast', patience, ownServer(home));
    writeFileSync(join(home.secrets, 'postgres-password'), 'another\n');
    const attempt = readyPostgres(await postgresUrl(home, port), 'holdfast', patience, ownServer(home));
    await expect(attempt).rejects.toMatchObject({
      name: 'StackError',
      advice: expect.stringContaining('postgres-password is not the password of this data') as string,
    });
  } finally {
    await postgres.stop();
  }
}, 40_000);
