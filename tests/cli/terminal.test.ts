import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { emptyResult } from '../../domain/deploy/result.ts';
import type { Outcome } from '../../domain/deploy/words.ts';
import { serviceNameOfItsOwn, smallestSpec, startApi, type TestApi } from '../api/start-api.ts';
import { environmentFor } from '../support/own-home.ts';
import { createCli, type Cli } from './run-cli.ts';

// util-linux's `script` gives the command a terminal of its own, as a person has it.
const hasTerminal = spawnSync('script', ['--version']).status === 0;
const onTerminal = hasTerminal ? test : test.skip;
const colour = '\u001b[';

let home: string;
let api: TestApi;
let cli: Cli;
let env: Readonly<Record<string, string>>;
const started: string[] = [];
beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'holdfast-terminal-'));
  api = await startApi();
  env = { HOLDFAST_URL: api.url, HOLDFAST_TOKEN: api.tokens.admin, TERM: 'xterm' };
  cli = createCli(home, env);
});
afterAll(async () => {
  for (const name of started) {
    const run = api.temporal.client.workflow.getHandle(`deploy/${name}`);
    await run.terminate().catch(() => undefined);
  }
  await api.close();
  rmSync(home, { recursive: true, force: true });
});

async function registered(): Promise<string> {
  const name = serviceNameOfItsOwn();
  await api.ask('PUT', `/v1/services/${name}`, { body: smallestSpec });
  started.push(name);
  return name;
}

async function onlyDeploy(service: string): Promise<string | undefined> {
  return (await api.ask('GET', `/v1/services/${service}/deploys`)).body.items[0]?.id;
}

async function close(id: string, outcome: Outcome): Promise<void> {
  const result = { ...emptyResult({ kind: 'deploy' }, 'self_hosted'), outcome };
  await api.parts.deploys.addEvidence(id, { check: 'release.source', phase: 'build', ok: true, reason: 'found' });
  await api.parts.deploys.update(id, 'closed', result);
}

/** A person at a terminal: what is on the screen, a way to type, and how it ends. */
function atTerminal(args: readonly string[], more: Readonly<Record<string, string>> = {}) {
  const words = [process.execPath, cli.main, ...args].map((word) => `'${word}'`).join(' ');
  const child = spawn('script', ['--quiet', '--return', '--command', words, '/dev/null'], {
    env: environmentFor(home, { ...env, ...more }),
  });
  let screen = '';
  child.stdout.on('data', (chunk: Buffer) => (screen += chunk.toString()));
  const end = new Promise<number | null>((resolve) => child.once('close', resolve));
  return {
    screen: () => screen.replaceAll('\r', ''),
    type: (text: string) => void child.stdin.write(text),
    end,
    async shows(text: string) {
      for (let i = 0; !screen.includes(text); i += 1) {
        if (i > 400) throw new Error(`never on the screen: ${text}\n${screen}`);
        await sleep(25);
      }
    },
  };
}

onTerminal('O3 colour on a terminal; none with NO_COLOR, and none off a terminal', async () => {
  const person = atTerminal(['status']);
  await person.end;
  expect(person.screen()).toContain(colour);
  const plain = atTerminal(['status'], { NO_COLOR: '1' });
  await plain.end;
  expect(plain.screen()).toContain('postgres');
  expect(plain.screen()).not.toContain(colour);
  const { stdout, stderr } = await cli.run(['status']);
  expect(stdout + stderr).not.toContain(colour);
});

onTerminal('O3 on a terminal a deploy is followed without being told to', async () => {
  const name = await registered();
  const person = atTerminal(['deploy', name]);
  await person.shows('requested');
  const id = await onlyDeploy(name);
  await close(id ?? '', 'promoted');
  expect(await person.end).toBe(0);
  expect(person.screen()).toMatch(new RegExp(`✓[^\\n]* release\\.source: found\\n[^]*${name}: promoted\\n$`));
});

onTerminal('O3 Ctrl-C on a terminal leaves; the run goes on', async () => {
  const name = await registered();
  const person = atTerminal(['deploy', name]);
  await person.shows('requested');
  person.type('\u0003');
  expect(await person.end).toBe(130);
  const id = (await onlyDeploy(name)) ?? '';
  expect(person.screen()).toContain(`next: holdfast deploys show ${id} --follow`);
  expect((await api.parts.deploys.find(id))?.closed_at).toBeNull();
});

onTerminal('O3 on a terminal the name is typed, and only that name is a yes', async () => {
  const name = await registered();
  for (const [typed, code] of [
    ['yes\n', 6],
    ['\n', 6],
    [`${name}\n`, 0],
  ] as const) {
    const person = atTerminal(['service', 'clear-safe-mode', name]);
    await person.shows(`Type ${name}`);
    person.type(typed);
    expect([typed, await person.end]).toEqual([typed, code]);
  }
});

onTerminal('O3 a question that is left by Ctrl-C or Ctrl-D changes nothing', async () => {
  const name = await registered();
  for (const key of ['\u0003', '\u0004']) {
    const person = atTerminal(['service', 'stop', name]);
    await person.shows(`Type ${name}`);
    person.type(key);
    expect(await person.end).toBe(130);
  }
  const run = api.temporal.client.workflow.getHandle(`deploy/${name}`);
  await expect(run.describe()).rejects.toThrow(/not found/i);
});

test('O3 what a service says of itself cannot drive the terminal', async () => {
  const name = await registered();
  const id = (await api.ask('POST', `/v1/services/${name}/deploys`, { body: {} })).body.id;
  const evil = 'build_sha_mismatch:\u001b]0;owned\u0007\u001b[2J\u009b2J\rok';
  await api.parts.deploys.addEvidence(id, { check: 'watch.candidate', phase: 'watch', ok: false, reason: evil });
  const result = { ...emptyResult({ kind: 'deploy' }, 'self_hosted'), outcome: 'rolled_back' as const };
  await api.parts.deploys.update(id, 'closed', { ...result, failure_reason: evil });
  for (const args of [
    ['deploys', 'show', id],
    ['deploys', 'show', id, '--follow'],
    ['deploys', 'list', name],
  ]) {
    const { stdout, stderr } = await cli.run(args);
    expect(stdout + stderr).toContain('owned');
    expect((stdout + stderr).replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
  }
});
