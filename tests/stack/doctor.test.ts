import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { checkSchema } from '../../domain/health.ts';
import { packageRoot } from '../../infra/package-root.ts';
import { diagnose } from '../../infra/stack/doctor.ts';
import { configFor, createFolder, environmentFor } from '../support/own-home.ts';

const folder = createFolder();
const home = join(folder.path, 'home');
afterAll(() => folder.remove());

function doctor(env: Record<string, string>, ...args: string[]): { status: number | null; stdout: string } {
  const command = [join(packageRoot, 'dist/cli/main.js'), 'doctor', ...args];
  return spawnSync(process.execPath, command, { env: environmentFor(home, env), encoding: 'utf8' });
}

test('before the first start every part is fine or has advice, and nothing is made', async () => {
  const checks = await diagnose(configFor(home));
  expect(checks.filter(({ state }) => state === 'fail')).toEqual([]);
  for (const { state, advice } of checks) expect(advice === null).toBe(state === 'ok');
  const ids = ['node', 'npm', 'git', 'home', 'disk', 'docker', 'temporal', 'postgres', 'qdrant', 'embeddings'];
  expect(checks.map(({ id }) => id)).toEqual([...ids, 'supervisor', 'worker', 'api']);
  expect(existsSync(home)).toBe(false);
});

test('holdfast doctor is exit code 0 when nothing failed, and its JSON is the checks', () => {
  const { status, stdout } = doctor({}, '--json');
  expect(status).toBe(0);
  expect(checkSchema.array().parse(JSON.parse(stdout))).toHaveLength(13);
});

test('a Docker that Holdfast cannot speak to fails nothing: the doctor says what it needs', () => {
  const { status, stdout } = doctor({ DOCKER_HOST: 'ssh://somewhere' });
  expect(status).toBe(0);
  expect(stdout).toMatch(/warn\s+docker\s+.*ssh:\/\/somewhere.*unix:\/\/\/path/);
});

test('holdfast doctor is exit code 8 when a part failed, and says what to do', () => {
  const empty = join(folder.path, 'empty');
  mkdirSync(empty);
  const { status, stdout } = doctor({ PATH: empty });
  expect(status).toBe(8);
  expect(stdout).toMatch(/fail\s+git\s+not found on PATH\. Install git\./);
});
