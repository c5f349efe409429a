import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pageOf } from '../../domain/answer.ts';
import { foundProjectSchema, proposalSchema } from '../../domain/project/schemas.ts';
import { importResultSchema, transferLineSchema } from '../../domain/project/transfer.ts';
import { startApiCli, type ApiCli } from './api-cli.ts';
import { answerOf, expectFailure, linesOf } from './run-cli.ts';

let bench: ApiCli;
beforeAll(async () => (bench = await startApiCli()));
afterAll(() => bench.close());

const cli = (...args: string[]) => bench.cli.run(args);
const asOperator = (...args: string[]) => bench.cli.run(args, { env: { HOLDFAST_TOKEN: bench.api.tokens.operator } });
const file = (name: string, content: unknown) => {
  const path = join(bench.home, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
};

test('W1 a project from a proposal to its second version, in words', async () => {
  const folder = join(bench.api.home, 'sources/notes');
  mkdirSync(folder, { recursive: true });
  const words = ['--title', 'Gigabit', '--alias', 'LAN', 'Netz', '--directory', folder, '--template', 'notes'];
  const proposed = await cli('project', 'propose', 'p04-gigabit', ...words);
  const id = proposed.stdout.trim();
  expect([proposed.exitCode, proposed.stderr]).toEqual([0, `next: holdfast proposal approve ${id}\n`]);

  expectFailure(
    await cli('proposal', 'approve', id),
    6,
    /Who proposes does not approve: operator can/,
    /ask one of them/,
  );
  expect((await cli('proposal', 'list', '--state', 'proposed')).stdout).toContain(id);
  const approved = await asOperator('proposal', 'approve', id);
  expect([approved.exitCode, approved.stdout]).toEqual([0, 'p04-gigabit: approved in version 1\n']);
  expect((await cli('project', 'list')).stdout).toMatch(/p04-gigabit +1 +none +- +LAN, Netz +Gigabit/);
  const shown = foundProjectSchema.parse(answerOf(await cli('project', 'show', 'netz', '--json')));
  expect(shown).toMatchObject({ project: 'p04-gigabit', resolved_by: 'alias', spec: { sources: [{ path: folder }] } });

  const change = file('change.json', { description: 'D' });
  const refine = (base: string) =>
    asOperator('project', 'refine', 'lan', '--base', base, '--file', change, '--reason', 'clearer', '--json');
  const { id: refinement } = proposalSchema.parse(answerOf(await refine('1')));
  expect((await cli('proposal', 'approve', refinement)).stdout).toBe('p04-gigabit: approved in version 2\n');
  const late = await bench.cli.run(['project', 'refine', 'lan', '--base', '1', '--title', 'X', '--reason', 'r']);
  expectFailure(late, 6, /registered in version 2/, /--base 2/);
  expect((await cli('project', 'templates')).stdout).toMatch(/^template +for\n/);
});

test('W1 proposals are shown, rejected and withdrawn', async () => {
  const spec = file('spec.json', { title: 'T', sources: [{ kind: 'upload', name: 'files' }] });
  const propose = async () => (await cli('project', 'propose', 'p05-notes', '--file', spec)).stdout.trim();
  const [one, other] = [await propose(), await propose()];
  expect((await asOperator('proposal', 'reject', one, '--reason', 'no')).stdout).toBe('p05-notes: rejected\n');
  expect((await asOperator('proposal', 'withdraw', other)).exitCode).toBe(4);
  expect((await cli('proposal', 'withdraw', other)).stdout).toBe('p05-notes: withdrawn\n');
  expect((await cli('proposal', 'show', one)).stdout).toMatch(
    /^p05-notes \(new\), proposed by admin: rejected by operator\n/,
  );
  const page = pageOf(proposalSchema, 'P').parse(
    answerOf(await cli('proposal', 'list', '--project', 'p05-notes', '--limit', '1', '--json')),
  );
  const rest = await cli('proposal', 'list', '--project', 'p05-notes', '--after', page.next_cursor ?? '');
  expect([rest.stdout.includes(one), rest.stdout.includes(other)]).toEqual([true, false]);
});

test.each([
  [['project', 'show', 'nobody'], 5, /No project has the name nobody/, /holdfast project list/],
  [
    ['project', 'propose', 'p06-x', '--title', 'T', '--directory', '/etc'],
    2,
    /not inside a root/,
    /HOLDFAST_SOURCE_ROOTS/,
  ],
  [['project', 'propose', 'p06-x', '--file', '/none'], 2, /cannot be read/, /--help/],
  [['proposal', 'approve', '00000000-0000-4000-8000-000000000000'], 5, /no proposal/, /holdfast proposal list/],
  [['import', '/none'], 2, /cannot be read/, /--help/],
])('O3 %j fails with exit code %d', async (args, code, what, next) => {
  expectFailure(await cli(...args), code, what, next);
});

test('C11 an export is imported, line by line; a dry run first, and partial when lines wait', async () => {
  const line = {
    kind: 'registration',
    project: 'p07-import',
    spec: { title: 'T', sources: [{ kind: 'upload', name: 'f' }] },
  };
  const asked = { kind: 'question_set', project: 'p07-import', name: 'canary' };
  const questions = [{ id: 'q', query: 'a\u009bb \u2028?', relevant: [{ path: 'a.md' }] }];
  const lines = file('lines.jsonl', `${JSON.stringify(line)}\n\n${JSON.stringify({ ...asked, questions })}\n`);
  const tried = await asOperator('import', lines, '--dry-run', '--json');
  expect([tried.exitCode, importResultSchema.parse(answerOf(tried))]).toMatchObject([
    3,
    {
      dry_run: true,
      lines: [
        { line: 1, outcome: 'proposed' },
        { line: 3, outcome: 'waiting' },
      ],
    },
  ]);
  const first = await asOperator('import', lines);
  expect([first.exitCode, first.stderr]).toEqual([3, 'next: holdfast proposal list --state proposed\n']);
  expect(first.stdout).toMatch(/3 +question_set +p07-import +waiting +p07-import is not approved yet/);
  const [row] = await bench.api.databases.data<
    { id: string }[]
  >`select id from registrations where project = 'p07-import'`;
  await cli('proposal', 'approve', row?.id ?? '');
  expect((await asOperator('import', lines)).exitCode).toBe(0);

  for (const json of [[], ['--json']]) {
    const end = await asOperator('export', ...json);
    const exported = linesOf(end).map((each) => transferLineSchema.parse(each));
    expect(exported.find((each) => each.kind === 'question_set')).toMatchObject({ questions });
    expect(exported.map(({ project }) => project)).toContain('p07-import');
    const again = await bench.cli.run(['import', '-', '--json'], { input: end.stdout });
    const results = importResultSchema.parse(answerOf(again)).lines;
    expect([again.exitCode, new Set(results.map(({ outcome }) => outcome))]).toEqual([0, new Set(['unchanged'])]);
  }
});

test('C11 what is no JSON Lines is said before anything is sent, with its line', async () => {
  const lines = file('bad.jsonl', '{"kind":"registration"}\n{"kind":\n');
  expectFailure(await cli('import', lines), 2, /bad.jsonl, line 2: not JSON/, /--help/);
  expectFailure(await cli('import', file('empty.jsonl', '\n')), 2, /has no lines/, /--help/);
});

test('C9 a question set is stored from a file, listed and shown', async () => {
  const [row] = await bench.api.databases.data<{ id: string }[]>`select id from projects order by id limit 1`;
  const project = row?.id ?? '';
  const questions = Array.from({ length: 3 }, (_, at) => ({
    id: `q${at}`,
    query: `Q${at}?`,
    relevant: [{ path: 'a.md' }],
  }));
  const stored = await cli('question-set', 'put', project, 'own', '--file', file('questions.json', questions));
  expect([stored.exitCode, stored.stdout]).toEqual([0, `${project}/own: 3 questions\n`]);
  expect((await cli('question-set', 'list', project)).stdout).toMatch(/own +3 /);
  expect((await cli('question-set', 'show', project, 'own')).stdout).toMatch(/q2 +Q2\? +a\.md/);
});
