import { deploySchema, type Deploy } from '../../domain/deploy/schemas.ts';
import { said, startApiCli, writtenDeploy, type ApiCli } from './api-cli.ts';
import { startBrokenApi } from './broken-api.ts';
import { expectFailure, linesOf } from './run-cli.ts';

let bench: ApiCli;
beforeAll(async () => (bench = await startApiCli()));
afterAll(() => bench.close());

const evidence = (check: string) => ({ check, phase: 'build', ok: true, reason: 'as it should be' }) as const;

test('O3 each phase and each check is told once, as it comes, with the time; the result is on stdout', async () => {
  const { id, service, deploys, enter, close } = await writtenDeploy(bench);
  const running = bench.cli.start(['deploys', 'show', id, '--follow']);
  await said(running, 'requested');
  await enter('build');
  await deploys.addEvidence(id, evidence('build.source'));
  await said(running, 'build.source');
  await enter('watch');
  await said(running, 'watch');
  expect(running.child.exitCode).toBeNull();
  await close({ outcome: 'promoted' });
  const { exitCode, stdout, stderr } = await running.end;
  expect([exitCode, stdout]).toEqual([0, `${service}: promoted\n`]);
  expect(stderr.replace(/\d+\.\d s/g, 'N s').split('\n')).toEqual([
    '     N s  requested',
    '     N s  build',
    '    ✓ build.source: as it should be',
    '     N s  watch',
    '     N s  closed',
    '',
  ]);
});

test('O3 with --json every change is a line, and the last one is the closed deploy', async () => {
  const name = await bench.service();
  const { ops } = bench.api.databases;
  const running = bench.cli.start(['deploy', name, '--wait', '--json']);
  await said(running, 'requested');
  const [row] = await ops<{ id: string }[]>`select id from deploys where service = ${name}`;
  const id = row?.id ?? '';
  await ops`update deploys set phase = 'build' where id = ${id}`;
  await said(running, 'build');
  await ops`update deploys set phase = 'closed', closed_at = now(),
    result = result || '{"outcome": "rolled_back"}' where id = ${id}`;
  const end = await running.end;
  expect(end.exitCode).toBe(1);
  const deploys = linesOf(end).map((line) => deploySchema.parse(line));
  expect(deploys.map(({ phase }) => phase)).toEqual(['requested', 'build', 'closed']);
  expect(deploys.at(-1)?.result.outcome).toBe('rolled_back');
});

test('O3 130: Ctrl-C leaves the run going on, and says how to come back', async () => {
  const { id, deploys } = await writtenDeploy(bench);
  const running = bench.cli.start(['deploys', 'show', id, '--follow']);
  await said(running, 'requested');
  running.child.kill('SIGINT');
  const { exitCode, stdout, stderr } = await running.end;
  expect([exitCode, stdout]).toEqual([130, '']);
  expect(stderr).toContain(`deploy ${id} goes on\nnext: holdfast deploys show ${id} --follow\n`);
  expect((await deploys.find(id))?.closed_at).toBeNull();
});

describe('a network that breaks', () => {
  const deployId = '11111111-1111-4111-8111-111111111111';
  let closed: Deploy;
  beforeAll(async () => {
    const { id, close } = await writtenDeploy(bench);
    await close({ outcome: 'promoted' });
    closed = { ...deploySchema.parse((await bench.api.ask('GET', `/v1/deploys/${id}`)).body), id: deployId };
  });
  const open = (): Deploy => ({ ...closed, phase: 'watch', closed_at: null });
  const event = (deploy: Deploy) => `event: deploy\ndata: ${JSON.stringify(deploy)}\n\n`;

  async function against(fates: Parameters<typeof startBrokenApi>[0], ...args: string[]) {
    const broken = await startBrokenApi(fates);
    const end = await bench.cli.run(args, { env: { HOLDFAST_URL: broken.url } });
    await broken.close();
    return { ...broken, end };
  }
  const follow = ['deploys', 'show', deployId, '--follow', '--json'];

  test('O3 half a stream is followed by another; nothing is told twice', async () => {
    const { end, asked } = await against(
      [
        { stream: [event(open()), 'event: deploy\ndata: {"id":"1111'] },
        { json: open() },
        { stream: [event(open()), event(closed)] },
      ],
      ...follow,
    );
    expect([end.exitCode, linesOf(end)]).toEqual([0, [open(), closed]]);
    expect(end.stderr.match(/ watch$/gm)).toHaveLength(1);
    expect(asked).toEqual(['text/event-stream', 'application/json', 'text/event-stream']);
  });

  test('O3 where streams cannot be had it asks', async () => {
    const { end } = await against([{ status: 503 }, { json: open() }, 'drop', { json: closed }], ...follow);
    expect([end.exitCode, linesOf(end)]).toEqual([0, [open(), closed]]);
  });

  test('O3 letters that fall between two pieces are whole again', async () => {
    const bytes = Buffer.from(event({ ...closed, actor: 'zoë' }));
    const cut = bytes.indexOf(Buffer.from('ë')) + 1;
    const { end } = await against([{ stream: [bytes.subarray(0, cut), bytes.subarray(cut)] }], ...follow);
    expect(linesOf(end)).toEqual([{ ...closed, actor: 'zoë' }]);
  });

  test('O3 a POST is sent again under the same key after a dropped connection and a 503', async () => {
    const { end, keys } = await against(['drop', { status: 503 }, { status: 202, json: open() }], 'deploy', 'web');
    expect([end.exitCode, end.stdout]).toEqual([0, `${deployId}\n`]);
    expect(keys).toHaveLength(3);
    expect(new Set(keys).size).toBe(1);
    expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('O3 three times and no more; then it is a failure', async () => {
    const { end, keys } = await against([], 'deploy', 'web');
    expectFailure(end, 1, /No Holdfast answers/, /npm start/);
    expect(keys).toHaveLength(4);
  });

  test('O3 an answer that failed inside is not asked for again', async () => {
    const { end, keys } = await against([{ status: 500 }], 'deploy', 'web');
    expectFailure(end, 1, /The API answered 500/, /holdfast doctor/);
    expect(keys).toHaveLength(1);
  });

  test('O3 an answer in another form than ours is a failure that says so', async () => {
    const { end } = await against([{ json: { items: 'none' } }], 'service', 'list');
    expectFailure(end, 1, /a form that this version does not know/, /holdfast/);
  });
});
