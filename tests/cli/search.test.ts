import { searchAnswerSchema } from '../../domain/search/schemas.ts';
import { createWorld, type World } from '../adapters/search/world.ts';
import { startApiCli, type ApiCli } from './api-cli.ts';
import { answerOf } from './run-cli.ts';

let bench: ApiCli;
let world: World;
beforeAll(async () => {
  bench = await startApiCli();
  world = await createWorld(bench.api.databases);
  const { data } = bench.api.databases;
  await world.project('p04-gigabit');
  await data`insert into project_names (name, project) values ('p04-gigabit', 'p04-gigabit'), ('lan', 'p04-gigabit')`;
  const uri = 'https://example.org/switch';
  await world.wave(
    'p04-gigabit',
    [{ path: 'switch.md', heading: ['Hall'], uri, chunks: ['The gigabit switch\nis in the hall.'] }],
    { identity: 'none' },
  );
});
afterAll(async () => {
  await world.close();
  await bench.close();
});

const cli = (...args: string[]) => bench.cli.run(args);

test('C8 hits are shown with their place, scores and source; a degraded answer is exit code 3 and says why', async () => {
  const end = await cli('search', '--project', 'lan', 'gigabit', 'switch');
  expect(end.stdout).toMatch(
    /^1\. p04-gigabit {2}switch\.md > Hall:1 {2}dense - {2}bm25 \d\.\d{3} {2}fused \d\.\d{3}\n/,
  );
  expect(end.stdout).toContain('https://example.org/switch');
  expect(end.stdout).toContain('The gigabit switch is in the hall.');
  expect(end.stderr).toContain('p04-gigabit (lan) at generation 1');
  expect(end.stderr).toContain('degraded: p04-gigabit: lexical_only');
  expect(end.exitCode).toBe(3);
});

test('C8 with --json stdout is the answer of the API', async () => {
  const answer = searchAnswerSchema.parse(
    answerOf(await cli('search', 'switch', '--project', 'p04-gigabit', '--json')),
  );
  expect(answer.hits).toMatchObject([{ path: 'switch.md', start: 0 }]);
});

test('C8 nothing found is said, and is not an error', async () => {
  const end = await cli('search', 'zeppelin', '--project', 'p04-gigabit');
  expect([end.stdout, end.stderr.includes('nothing was found')]).toEqual(['', true]);
});

test('C8 a search without a project, of an unknown one, of a generation that is not there', async () => {
  expect((await cli('search', 'switch')).exitCode).toBe(2);
  expect((await cli('search', 'switch', '--project', 'nobody')).exitCode).toBe(5);
  const gone = await cli('search', 'switch', '--project', 'lan', '--generation', '9');
  expect([gone.exitCode, gone.stderr.includes('it was never begun')]).toEqual([5, true]);
});
