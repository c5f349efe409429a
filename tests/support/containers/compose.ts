import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { packageRoot } from '../../../infra/package-root.ts';
import { onPath, packageManager } from '../../../infra/stack/prerequisites.js';

const run = promisify(execFile);
const file = join(packageRoot, 'infra/compose.yaml');
// Of a build, on a machine that has much else to do.
const longestMs = 15 * 60_000;

/** docker-compose on infra/compose.yaml; returns what it wrote on stdout. Throws with what it said. */
export type Compose = (args: readonly string[]) => Promise<string>;

export interface ComposeOptions {
  readonly project: string;
  /** Files that lie over it, as of a person who wants some of it otherwise. */
  readonly over?: readonly string[];
  /** Default: no Docker, which is enough for `config`. */
  readonly socketPath?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Debian's docker-compose, installed where it is missing and this is root; as the programs of docker-daemon.ts are. */
export async function demandCompose(): Promise<void> {
  await demandPackage('docker-compose', 'docker-compose');
}

export async function demandPackage(program: string, name: string): Promise<void> {
  if ((await onPath(program)) !== null) return;
  const apt = await packageManager();
  if (apt !== null) {
    const [command, ...args] = apt;
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    await run(command, [...args, 'update'], { env }).catch(() => undefined);
    const install = [...args, 'install', '--yes', '--no-install-recommends', name];
    await run(command, install, { env, maxBuffer: 2 ** 24 }).catch(() => undefined);
  }
  if ((await onPath(program)) === null) throw new Error(`No ${program}: install the package ${name}`);
}

export function composeOn({ project, over = [], socketPath = '/none', env = {} }: ComposeOptions): Compose {
  const { PATH, HOME } = process.env;
  // The builder that is in dockerd: there may be no command `docker` here.
  const builder = { COMPOSE_DOCKER_CLI_BUILD: '0', DOCKER_BUILDKIT: '0' };
  const ours = { PATH, HOME, DOCKER_HOST: `unix://${socketPath}`, ...builder, ...env };
  const files = [file, ...over].flatMap((path) => ['--file', path]);
  return async (args) => {
    const options = { cwd: packageRoot, env: ours, maxBuffer: 2 ** 26, timeout: longestMs };
    const running = run('docker-compose', ['--project-name', project, ...files, ...args], options);
    running.child.stdin?.end();
    const { stdout } = await running.catch((error: unknown) => {
      const { stdout: out, stderr } = error as { stdout: string; stderr: string };
      throw new Error(`docker-compose ${args.join(' ')}:\n${out.slice(-4_000)}\n${stderr.slice(-4_000)}`);
    });
    return stdout;
  };
}
