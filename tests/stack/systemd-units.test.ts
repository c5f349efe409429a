import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../infra/package-root.ts';
import { onPath } from '../../infra/stack/prerequisites.js';
import { createProgram } from '../../cli/program.ts';

const folder = join(packageRoot, 'infra/systemd');
const names = readdirSync(folder);

/** By section and name; a name that is there more than once has several values. */
function unit(name: string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  let section = '';
  for (const line of readFileSync(join(folder, name), 'utf8').split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const heading = /^\[(Unit|Service|Install)\]$/.exec(line)?.[1];
    if (heading !== undefined) {
      section = heading;
      continue;
    }
    const [, key, value] = /^([A-Z][A-Za-z]+)=(.*)$/.exec(line) ?? [];
    if (key === undefined || value === undefined) throw new Error(`${name}: not a line of a unit: ${line}`);
    found.set(`${section}.${key}`, [...(found.get(`${section}.${key}`) ?? []), value]);
  }
  return found;
}

test('there is a unit for a box with everything, for a worker and for the API', () => {
  expect(names.sort()).toEqual(['holdfast-api.service', 'holdfast-worker.service', 'holdfast.service']);
});

describe.each(names)('%s', (name) => {
  const values = unit(name);
  const value = (key: string) => values.get(`Service.${key}`)?.at(-1);

  test('systemd takes every line of it', async () => {
    // Where systemd is not installed, it was at least read as one: names and values, in sections that there are.
    expect(values.size).toBeGreaterThan(20);
    const analyze = await onPath('systemd-analyze');
    const { status, stderr } =
      analyze === null
        ? { status: 0, stderr: '' }
        : spawnSync(analyze, ['verify', join(folder, name)], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  test('it starts a command that there is, as a user without rights, in a data folder of its own', () => {
    const [env, node, program, command = '', ...options] = (value('ExecStart') ?? '').split(' ');
    expect([env, node, program]).toEqual(['/usr/bin/env', 'node', 'dist/cli/main.js']);
    const known = createProgram().commands.find((each) => each.name() === command);
    const flags = known?.options.map(({ long }) => long) ?? [];
    expect(flags).toEqual(expect.arrayContaining(options.filter((option) => option.startsWith('--'))));
    expect([value('User'), value('StateDirectory'), value('StateDirectoryMode')]).toEqual([
      'holdfast',
      'holdfast',
      '0700',
    ]);
    expect(value('NoNewPrivileges')).toBe('yes');
    expect(values.get('Service.Environment')?.join(' ')).toContain('HOLDFAST_HOME=%S/holdfast');
  });

  test('no secret is in its environment', () => {
    const given = (values.get('Service.Environment') ?? []).join(' ');
    expect(given.replace(/\w+_FILE=%d\/\w+/g, '')).not.toMatch(/DATABASE_URL|KEY|PASSWORD|TOKEN/);
  });
});

test.each(['holdfast.service', 'holdfast-worker.service'])('what %s has deployed outlives it', (name) => {
  const values = unit(name);
  const value = (key: string) => values.get(`Service.${key}`)?.at(-1);
  expect(value('KillMode')).toBe('process');
  expect(value('OOMPolicy')).toBe('continue');
  // Each would be taken from under what is deployed, or kept from it.
  for (const key of ['PrivateTmp', 'PrivateDevices', 'MemoryDenyWriteExecute', 'RestrictNamespaces', 'ProtectHome'])
    expect([key, value(key)]).toEqual([key, undefined]);
  expect(value('ProtectSystem')).toBe('full');
});
