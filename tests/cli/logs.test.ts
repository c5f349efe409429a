import { logPageSchema } from '../../domain/log.ts';
import { createLogFolders, type OwnLog } from '../support/own-log.ts';
import { placedInstances } from '../support/placed-instance.ts';
import { said, startApiCli, type ApiCli } from './api-cli.ts';
import { answerOf, expectFailure, linesOf } from './run-cli.ts';

let bench: ApiCli;
let folders: ReturnType<typeof createLogFolders>;
let place: (instance: string) => Promise<OwnLog>;
beforeAll(async () => {
  bench = await startApiCli();
  folders = createLogFolders(bench.api.home);
  const rows = await placedInstances(bench.api.databases.ops, 'web', 'testbox');
  place = async (instance) => {
    await rows.place(instance);
    return folders.begin({ segment_bytes: 100_000, segments: 5 }, instance);
  };
});
afterAll(() => bench.close());

const logs = (...args: string[]) => bench.cli.run(['service', 'logs', 'web', ...args]);

test('D14 lines on stdout, what is to be known of them on stderr, and on from a cursor', async () => {
  const log = await place('one.candidate');
  log.write('a\r\nb\u0007\nc\n');
  const end = await logs();
  expect(end).toEqual({ exitCode: 0, stdout: 'a\nb\ufffd\nc\n', stderr: 'holdfast: the log of one.candidate\n' });
  const last = logPageSchema.parse(answerOf(await logs('--lines', '1', '--json')));
  expect(last.logs).toEqual(['c']);
  log.write('d\ne\n');
  const part = await logs('--cursor', last.cursor, '--lines', '1');
  expect(part.stdout).toBe('d\n');
  const next = /^next: holdfast (service logs web --cursor \S+)$/m.exec(part.stderr)?.[1] ?? '';
  expect((await bench.cli.run(next.split(' '))).stdout).toBe('e\n');
  log.end();
});

test('D14 --follow goes on over starts of the service until Ctrl-C, and says how to come back', async () => {
  const one = await place('two.candidate');
  one.write('a\n');
  const running = bench.cli.start(['service', 'logs', 'web', '--follow']);
  let shown = '';
  running.child.stdout.on('data', (chunk: Buffer) => (shown += chunk.toString()));
  const until = async (text: string) => {
    while (!shown.includes(text)) await new Promise((resolve) => setTimeout(resolve, 10));
  };
  await until('a\n');
  one.write('b\n');
  await until('b\n');
  one.end();
  const two = await place('three.candidate');
  two.write('c\n');
  await said(running, 'the log of three.candidate');
  await until('c\n');
  running.child.kill('SIGINT');
  const end = await running.end;
  expect([end.exitCode, shown]).toEqual([130, 'a\nb\nc\n']);
  const next = /^next: holdfast (service logs web --follow --cursor (\S+))$/m.exec(end.stderr)?.[2] ?? '';
  two.write('d\n');
  expect((await logs('--cursor', next)).stdout).toBe('d\n');
  two.end();
});

test('D14 --follow --json is an answer a line', async () => {
  const log = await place('four.candidate');
  log.write('a\n');
  const running = bench.cli.start(['service', 'logs', 'web', '--follow', '--json']);
  await said(running, 'the log of four.candidate');
  let shown = '';
  running.child.stdout.on('data', (chunk: Buffer) => (shown += chunk.toString()));
  log.write('b\n');
  while (!shown.includes('"b"')) await new Promise((resolve) => setTimeout(resolve, 10));
  running.child.kill('SIGINT');
  const end = await running.end;
  expect(linesOf(end).map((line) => logPageSchema.parse(line).logs)).toEqual([['a'], ['b']]);
  log.end();
});

test('D14 lines that are gone are told', async () => {
  const { cursor } = logPageSchema.parse(answerOf(await logs('--json')));
  const log = await place('five.candidate');
  log.write('[holdfast] 7 lines could not be written and are lost\nafter\n');
  expect((await logs('--cursor', cursor)).stderr).toContain('holdfast: lines are missing here\n');
  log.end();
});

test('D14 a bad cursor is a usage error, an unknown service is not found', async () => {
  expectFailure(await logs('--cursor', 'nonsense'), 2, /cursor: take it from an answer/, /holdfast/);
  expectFailure(await logs('--follow', '--cursor', 'nonsense'), 2, /cursor: take it from an answer/, /holdfast/);
  expectFailure(await bench.cli.run(['service', 'logs', 'nobody']), 5, /no service nobody/, /holdfast/);
  expect((await logs('--lines', '0')).exitCode).toBe(2);
});
