import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { packageRoot } from '../../package-root.ts';
import { originOf, placeFolder, seal } from '../download/cached-files.ts';
import type { Downloads } from '../download/downloads.ts';
import { findInCache, officialRelease } from '../download/official-release.ts';
import { builtTemporal, findGo, onPath, versionOf } from '../prerequisites.js';
import { asStackError, StackError } from '../stack-error.ts';
import { temporalRelease, type Release } from '../download/upstream.ts';
import { firstFound, WayClosed, type Found } from '../ways.ts';

const beatMs = 30_000;

/** A Temporal that can serve: on PATH, else from the cache, else its official release, else built with Go. */
export async function findOrBuildTemporal(
  downloads: Downloads,
  release: Release | null = temporalRelease(),
): Promise<Found> {
  const { cache, say, signal } = downloads;
  const path = cachedPath(cache);
  const ways = [
    foundOnPath,
    () => findInCache(path),
    officialRelease(release, path, downloads),
    () => builtWithGo(path, say, signal),
  ];
  return firstFound(ways, {
    say,
    otherwise: (closed) =>
      new StackError(
        closed.length === 0
          ? 'No Temporal was found, and it cannot be built without Go 1.25 or newer'
          : `No Temporal can be had: ${closed.join('; ')}`,
        'Install the `temporal` command or Go 1.25, or set TEMPORAL_ADDRESS to a Temporal that runs.',
      ),
  });
}

/** What would be used now, without downloading or building anything. */
export async function findTemporal(cache: string): Promise<Found | null> {
  return (await foundOnPath()) ?? (await findInCache(cachedPath(cache)));
}

async function foundOnPath(): Promise<Found | null> {
  const path = await onPath('temporal');
  if (path === null) return null;
  const version = await versionOf([path, '--version'], /temporal version (\S+)/);
  return version === null ? null : { path, origin: `on PATH, version ${version}` };
}

async function builtWithGo(path: string, say: (line: string) => void, signal: AbortSignal): Promise<Found | null> {
  const go = await findGo();
  if (go === null) return null;
  say('building Temporal from source with Go, once; this takes a few minutes');
  try {
    const isWhole = async (): Promise<boolean> => (await originOf(path)) !== null;
    await placeFolder(join(path, '..'), isWhole, async (folder) => {
      const program = join(folder, 'temporal');
      await build(go, program, say, signal);
      await seal(program, `built from source, version ${builtTemporal}`);
    });
  } catch (error) {
    throw asStackError(error, 'building Temporal');
  }
  return findInCache(path);
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
  throw new WayClosed(
    network
      ? 'Temporal could not be built: its source could not be fetched, there is no network'
      : `Temporal could not be built: ${said.at(-1) ?? `go ended with ${String(code)}`}`,
  );
}

function cachedPath(cache: string): string {
  return join(cache, `temporal-${builtTemporal}`, 'temporal');
}
