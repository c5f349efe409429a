import { execFile, spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { request, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { onPath } from '../../../infra/stack/prerequisites.js';

const run = promisify(execFile);

/** An image of what this machine has, for where no image can be pulled. */
export interface MachineImage {
  readonly tag: string;
  /** On PATH, or absolute paths. They are in the PATH of the image, with the libraries that they load. */
  readonly programs: readonly string[];
  /** Files and folders as they are here, with the libraries that their shared objects load. */
  readonly paths: readonly string[];
  /** But for these files and folders in them. */
  readonly without?: readonly string[];
  /** Written into the image, to be run if they begin with #!. */
  readonly files: Readonly<Record<string, string>>;
  readonly folders: readonly string[];
  /** Instructions of a Dockerfile. */
  readonly changes: readonly string[];
}

const users = ['root', 'postgres'];
// What programs that are put into the image later may load, and what is opened by name only when it is needed.
const ofTheSystem = /^lib(nss_dns|nss_files|resolv|rt|dl|pthread|util|m|gcc_s|stdc\+\+)\.so\.\d+$/;

export async function importImage(socketPath: string, image: MachineImage): Promise<void> {
  // The shell of busybox would take its own commands for those of the machine.
  const programs = await Promise.all(['busybox', 'sh', ...image.programs].map(found));
  const { without = [] } = image;
  const objects = image.paths.flatMap(sharedObjectsIn).filter((path) => !without.some((left) => path.startsWith(left)));
  const libraries = await librariesOf([...programs, ...objects]);
  const paths = outermost([...programs, ...image.paths, ...libraries].flatMap(withTarget));
  const staging = mkdtempSync(join(tmpdir(), 'holdfast-image-'));
  let tar: ChildProcessWithoutNullStreams | null = null;
  try {
    await stage(staging, image, programs, new Set(paths));
    const list = paths.map((path) => path.slice(1)).join('\n');
    const ours = ['--directory', staging, '.', '--directory', '/', '--files-from', '-'];
    const excluded = without.map((path) => `--exclude=${path.slice(1)}`);
    tar = spawn('tar', ['--create', '--numeric-owner', '--owner=0', '--group=0', ...excluded, ...ours]);
    tar.stdin.end(list);
    const query = new URLSearchParams([
      ...[
        ['fromSrc', '-'],
        ['repo', image.tag],
      ],
      ...image.changes.map((change) => ['changes', change]),
    ] as [string, string][]);
    await post(socketPath, `/images/create?${query.toString()}`, tar.stdout);
  } finally {
    tar?.kill();
    rmSync(staging, { recursive: true, force: true });
  }
}

async function found(program: string): Promise<string> {
  const path = program.startsWith('/') ? program : await onPath(program);
  if (path === null) throw new Error(`No ${program} on PATH, which an image of this machine is made of`);
  return path;
}

/** What the loader would load; a script and a static program load nothing. */
async function librariesOf(files: readonly string[]): Promise<string[]> {
  const { stdout } = await run('ldd', [...files], { maxBuffer: 2 ** 26 }).catch(
    (error: unknown) => error as { stdout: string },
  );
  const loaded = [...stdout.matchAll(/(?:=> |^\s*)(\/\S+) \(0x/gm)].flatMap(([, path]) => path ?? []);
  const folders = new Set(loaded.map((path) => dirname(path)));
  const more = [...folders].flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => ofTheSystem.test(name))
      .map((name) => join(folder, name)),
  );
  return [...new Set([...loaded, ...more])];
}

function sharedObjectsIn(path: string): string[] {
  if (!lstatSync(path).isDirectory()) return /\.so(\.|$)/.test(path) ? [path] : [];
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.so'))
    .map((name) => join(path, name));
}

/** What is in a folder of the list comes with it: a second time it would be a link to itself. */
function outermost(paths: readonly string[]): string[] {
  const all = new Set(paths);
  const above = (path: string): string[] => (path === '/' ? [] : [dirname(path), ...above(dirname(path))]);
  return [...all].filter((path) => !above(path).some((folder) => all.has(folder)));
}

/** With what it leads to, link by link; below the folders as they really are: /lib is often a link to /usr/lib, and stays one. */
function withTarget(path: string): string[] {
  const real = join(realpathSync(dirname(path)), basename(path));
  if (!lstatSync(real).isSymbolicLink()) return [real];
  return [real, ...withTarget(resolve(dirname(real), readlinkSync(real)))];
}

async function stage(
  staging: string,
  { files, folders }: MachineImage,
  programs: readonly string[],
  theirs: ReadonlySet<string>,
): Promise<void> {
  const at = (path: string): string => join(staging, path);
  for (const path of [
    '/usr/bin',
    '/usr/local/bin',
    '/usr/lib',
    '/usr/lib64',
    '/usr/sbin',
    '/etc',
    '/var/lib',
    ...folders,
  ])
    mkdirSync(at(path), { recursive: true });
  for (const path of ['/tmp', '/var/tmp', '/run']) {
    mkdirSync(at(path));
    chmodSync(at(path), 0o1777);
  }
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) symlinkSync(join('usr', name), at(name));
  writeFileSync(at('/etc/passwd'), users.map((name, uid) => `${name}:x:${uid}:${uid}::/:/bin/sh\n`).join(''));
  writeFileSync(at('/etc/group'), users.map((name, gid) => `${name}:x:${gid}:\n`).join(''));
  const commands = [...(await commandsOf(programs))].map(
    ([name, path]) => [join('/usr/local/bin', name), path] as const,
  );
  for (const [link, path] of [...commands, ['/usr/bin/env', '/usr/local/bin/env'] as const])
    if (!theirs.has(link)) symlinkSync(path, at(link));
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(at(path)), { recursive: true });
    // It may be a link out of here by now.
    rmSync(at(path), { force: true });
    writeFileSync(at(path), content, { mode: content.startsWith('#!') ? 0o755 : 0o644 });
  }
}

/** By name: what busybox can do, and what the machine itself has for it. */
async function commandsOf([busybox = '', ...programs]: readonly string[]): Promise<Map<string, string>> {
  const { stdout } = await run(busybox, ['--list']);
  const names = stdout.trim().split('\n');
  return new Map([
    ...[...names, 'busybox'].map((name): [string, string] => [name, realpathSync(busybox)]),
    ...programs.map((path): [string, string] => [basename(path), realpathSync(path)]),
  ]);
}

async function post(socketPath: string, path: string, body: NodeJS.ReadableStream): Promise<void> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const asked = request({ socketPath, path, method: 'POST' }, resolve).once('error', reject);
    body.pipe(asked);
  });
  const said = await text(answer);
  if (answer.statusCode !== 200 || said.includes('"error"')) throw new Error(`The image was not taken: ${said}`);
}
