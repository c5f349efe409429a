import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../package-root.ts';
import { builtTemporal, findGo, onPath, versionOf } from './prerequisites.js';
import { asStackError, StackError } from './stack-error.ts';

export interface Found {
  readonly path: string;
  /** Where it came from, for people. */
  readonly origin: string;
}

const beatMs = 30_000;

/** One way to come by a program; null: not this way. In the order in which they are tried. */
type Way = () => Promise<Found | null>;

/** A Temporal that can serve: on PATH, else from the cache, else built with Go. A download comes before building, later. */
export async function findOrBuildTemporal(
  cache: string,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<Found> {
  const ways: readonly Way[] = [foundOnPath, () => foundInCache(cache), () => builtWithGo(cache, say, signal)];
  for (const way of ways) {
    const found = await way();
    if (found !== null) return found;
  }
  throw new StackError(
    'No Temporal was found, and it cannot be built without Go 1.25 or newer',
    'Install Go (or the `temporal` command), or set TEMPORAL_ADDRESS to a Temporal that runs.',
  );
}

/** What would be used now, without building anything. */
export async function findTemporal(cache: string): Promise<Found | null> {
  return (await foundOnPath()) ?? (await foundInCache(cache));
}

async function foundOnPath(): Promise<Found | null> {
  const path = await onPath('temporal');
  if (path === null) return null;
  const version = await versionOf([path, '--version'], /temporal version (\S+)/);
  return version === null ? null : { path, origin: `on PATH, version ${version}` };
}

/** Only as it was when it was put there: half a file, or another one, is built again. */
async function foundInCache(cache: string): Promise<Found | null> {
  const path = cachedPath(cache);
  if (!existsSync(path) || !existsSync(`${path}.sha256`)) return null;
  const recorded = (await readFile(`${path}.sha256`, 'utf8')).trim();
  return (await sha256(path)) === recorded ? { path, origin: `built from source, version ${builtTemporal}` } : null;
}

async function builtWithGo(cache: string, say: (line: string) => void, signal: AbortSignal): Promise<Found | null> {
  const go = await findGo();
  if (go === null) return null;
  const path = cachedPath(cache);
  const partial = `${path}.partial-${process.pid}`;
  say('building Temporal from source with Go, once; this takes a few minutes');
  try {
    await mkdir(join(path, '..'), { recursive: true });
    await build(go, partial, say, signal);
    await writeFile(`${path}.sha256`, await sha256(partial));
    await rename(partial, path);
  } catch (error) {
    throw asStackError(error, 'building Temporal');
  } finally {
    await rm(partial, { force: true });
  }
  return foundInCache(cache);
}

/** Go keeps what it has fetched and compiled, so a build that was interrupted goes on where it was. */
async function build(go: string, output: string, say: (line: string) => void, signal: AbortSignal): Promise<void> {
  const version = `-X github.com/temporalio/cli/internal/temporalcli.Version=${builtTemporal}`;
  const args = [
    'build',
    '-v',
    '-mod=readonly',
    '-buildvcs=false',
    '-trimpath',
    '-ldflags',
    `-s -w ${version}`,
    '-o',
    output,
    'github.com/temporalio/cli/cmd/temporal',
  ];
  const lines: string[] = [];
  const child = spawn(go, args, {
    cwd: join(packageRoot, 'infra/temporal'),
    // The version that is here; fetching another toolchain is not what was asked for.
    env: { ...process.env, GOTOOLCHAIN: 'local' },
    stdio: ['ignore', 'ignore', 'pipe'],
    signal,
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => lines.push(text));
  const beat = setInterval(() => say(`still building: ${lines.join('').split('\n').length} packages so far`), beatMs);
  const code = await new Promise<number | null>((resolve, reject) =>
    child.once('error', reject).once('close', resolve),
  ).finally(() => clearInterval(beat));
  if (code === 0) return;
  signal.throwIfAborted();
  const said = lines.join('').trim().split('\n');
  const network = said.some((line) => /dial tcp|no such host|i\/o timeout|connection refused|proxyconnect/.test(line));
  throw new StackError(
    network
      ? 'Temporal could not be built: its source could not be fetched, there is no network'
      : `Temporal could not be built: ${said.at(-1) ?? `go ended with ${String(code)}`}`,
    'Try again with a network, or install the `temporal` command, or set TEMPORAL_ADDRESS to a Temporal that runs.',
  );
}

function cachedPath(cache: string): string {
  return join(cache, `temporal-${builtTemporal}`, 'temporal');
}

async function sha256(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
}
