import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { newTokenSchema } from '../../domain/access.ts';
import { pageOf, runSchema } from '../../domain/answer.ts';
import { deploySchema } from '../../domain/deploy/schemas.ts';
import { eventSchema } from '../../domain/event.ts';
import { serviceSchema, serviceSpecSchema } from '../../domain/service.ts';
import { serviceNameOfItsOwn, smallestSpec } from '../api/start-api.ts';
import { environmentFor } from '../support/own-home.ts';
import { startApiCli, writtenDeploy, type ApiCli } from './api-cli.ts';
import { answerOf, linesOf } from './run-cli.ts';

let bench: ApiCli;
beforeAll(async () => (bench = await startApiCli()));
afterAll(() => bench.close());

const cli = (...args: string[]) => bench.cli.run(args);

test('O3 a service is registered from a file or standard input, listed and shown', async () => {
  const [one, other] = [serviceNameOfItsOwn(), serviceNameOfItsOwn()];
  const file = join(bench.home, 'spec.json');
  await writeFile(file, JSON.stringify(smallestSpec));
  const first = await cli('service', 'register', one, '--file', file, '--json');
  expect([first.exitCode, first.stderr]).toEqual([0, `next: holdfast deploy ${one}\n`]);
  expect(serviceSchema.parse(answerOf(first))).toMatchObject({ name: one, spec: { box: 'testbox' } });

  const input = JSON.stringify(smallestSpec);
  expect((await bench.cli.run(['service', 'register', other, '--file', '-'], { input })).exitCode).toBe(0);
  const listed = (await cli('service', 'list')).stdout.split('\n');
  expect(listed.find((line) => line.startsWith(other))).toMatch(/ (running|stopped) /);
  expect((await cli('service', 'show', other)).stdout).toContain('https://example.org/web.git');
});

test('O3 a list is shown whole, however many pages it has', async () => {
  const names = Array.from({ length: 205 }, (_, index) => `many-${String(index).padStart(3, '0')}`);
  for (const name of names) await bench.api.parts.services.register(name, { ...someSpec(), box: 'testbox' });
  const page = pageOf(serviceSchema, 'ServicePage').parse(answerOf(await cli('service', 'list', '--json')));
  expect(page.items.map(({ name }) => name).filter((name) => name.startsWith('many-'))).toEqual(names);
  expect(page.next_cursor).toBeNull();
});

test('O3 a deploy off a terminal is started and left, and says how to come back', async () => {
  const name = await bench.service();
  const end = await cli('deploy', name, '--ref', 'main', '--no-rollback-on', 'health_failure');
  const id = end.stdout.trim();
  expect([end.exitCode, end.stderr]).toEqual([0, `next: holdfast deploys show ${id} --follow\n`]);
  const [row] = await bench.api.databases.ops`select request from deploys where id = ${id}`;
  expect(row?.['request']).toEqual({ kind: 'deploy', ref: 'main', rollback_on_health_failure: false });
});

test('O3 the same idempotency key is the same deploy', async () => {
  const args = ['deploy', await bench.service(), '--idempotency-key', 'once', '--json'];
  const ends = [await cli(...args), await cli(...args)];
  expect(ends.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
  expect(new Set(ends.map((end) => deploySchema.parse(answerOf(end)).id)).size).toBe(1);
});

test('O3 a dry run says what it would ask for, and starts nothing', async () => {
  const name = await bench.service();
  const end = await cli('deploy', name, '--kind', 'rollback', '--dry-run', '--json');
  expect(end.exitCode).toBe(0);
  expect(answerOf(end)).toMatchObject({ request: { kind: 'rollback' }, service: { name } });
  expect(await bench.api.databases.ops`select 1 from deploys where service = ${name}`).toHaveLength(0);
});

test('O3 a stop off a terminal names its run and leaves', async () => {
  const name = await bench.service();
  const end = await cli('service', 'stop', name, `--confirm=${name}`, '--json');
  expect(end.exitCode).toBe(0);
  expect(runSchema.parse(answerOf(end)).workflow_id).toBe(`deploy/${name}`);
});

test('O3 a stop that is waited for ends when the service was stopped, not because it once was', async () => {
  const name = await bench.service();
  const { events } = bench.api.parts;
  const stopped = { type: 'service.stopped', subject: `service/${name}`, actor: 'tester' };
  await events.append(stopped);
  const early = await cli('service', 'stop', name, `--confirm=${name}`, '--wait', '--timeout', '1s');
  expect([early.exitCode, early.stderr]).toEqual([7, expect.stringContaining(`next: holdfast service show ${name}`)]);

  await bench.api.temporal.client.workflow.getHandle(`deploy/${name}`).terminate();
  const again = bench.cli.start(['service', 'stop', name, `--confirm=${name}`, '--wait', '--timeout', '20s']);
  const runs = () => bench.api.temporal.client.workflow.getHandle(`deploy/${name}`).describe();
  while ((await runs()).status.name !== 'RUNNING');
  await events.append(stopped);
  const end = await again.end;
  expect([end.exitCode, end.stdout]).toEqual([0, `${name} is stopped\n`]);
});

test('O3 safe mode is cleared; releases, deploys and events are listed', async () => {
  const { id, service, close } = await writtenDeploy(bench);
  await close({ outcome: 'promoted' });
  expect((await cli('service', 'clear-safe-mode', service, '--confirm', service)).exitCode).toBe(0);
  expect((await cli('release', 'list', service)).stdout).toMatch(/^release +standing/);
  expect((await cli('deploys', 'list', service)).stdout).toMatch(new RegExp(`${id} +deploy .* promoted`));
  expect((await cli('deploys', 'show', id)).stdout).toMatch(/outcome +promoted/);
  expect((await cli('event', 'list', '--subject', `service/${service}`)).stdout).toContain('service.registered');
});

test('O3 the audit goes on behind a page', async () => {
  await bench.service();
  await bench.service();
  const page = pageOf(eventSchema, 'EventPage');
  const first = page.parse(answerOf(await cli('event', 'list', '--limit', '1', '--json')));
  const after = first.next_cursor ?? '';
  const next = page.parse(answerOf(await cli('event', 'list', '--limit', '1', '--after', after, '--json')));
  expect(next.items[0]?.id).toBeGreaterThan(first.items[0]?.id ?? Infinity);
});

test('O3 a token is made, works, is listed without its secret, and is useless once revoked', async () => {
  const { id, token } = newTokenSchema.parse(
    answerOf(await cli('token', 'create', '--actor', 'ci', '--role', 'viewer', '--json')),
  );
  const asCi = { env: { HOLDFAST_TOKEN: token } };
  expect((await bench.cli.run(['service', 'list'], asCi)).exitCode).toBe(0);
  const listed = (await cli('token', 'list')).stdout;
  expect(listed).toContain(id);
  expect(listed).not.toContain(token);
  expect((await cli('token', 'revoke', id, `--confirm=${id}`)).exitCode).toBe(0);
  expect((await bench.cli.run(['service', 'list'], asCi)).exitCode).toBe(4);
});

test('O3 with --json stdout is JSON for every verb, also when it fails', async () => {
  const { id, service, close } = await writtenDeploy(bench);
  await close({ outcome: 'promoted' });
  const missing = serviceNameOfItsOwn();
  const verbs = [
    ...['status', 'completion fish', 'service list', 'token list', 'event list', 'no-such-command'],
    ...[`service show ${service}`, `release list ${service}`, `deploys list ${service}`, `deploys show ${id}`],
    ...[`deploys show ${id} --follow`, `deploy ${service} --dry-run`, `deploy ${missing}`, `service show ${missing}`],
    ...[`service stop ${missing} --confirm=${missing}`, `service clear-safe-mode ${missing} --confirm=${missing}`],
    ...['service register x --file /none', 'token create --actor ! --role viewer', 'token revoke x --confirm=x'],
  ];
  const ends = await Promise.all(verbs.map((verb) => cli(...verb.split(' '), '--json')));
  expect(ends.map((end, index) => [verbs[index], linesOf(end).length])).toEqual(verbs.map((verb) => [verb, 1]));
});

test('O3 a reader that has seen enough is no failure', async () => {
  const script = `"$0" "$1" service list --json | head -c 1; echo " \${PIPESTATUS[0]}"`;
  const env = environmentFor(bench.home, { HOLDFAST_URL: bench.api.url, HOLDFAST_TOKEN: bench.api.tokens.admin });
  const child = spawn('bash', ['-c', script, process.execPath, bench.cli.main], { env });
  const heard = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (heard.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (heard.stderr += text));
  await once(child, 'close');
  expect(heard).toEqual({ stdout: '{ 0\n', stderr: '' });
});

function someSpec() {
  return serviceSpecSchema.parse(smallestSpec);
}
