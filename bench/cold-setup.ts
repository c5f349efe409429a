import { spawn, spawnSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import getPort from 'get-port';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { packageRoot } from '../infra/package-root.ts';

const longestMs = 1_800_000;

export interface ColdSetup {
  readonly ready_s: number;
  /** What was reported on the way, in order: each step, and how long it took. */
  readonly steps: readonly string[];
}

/**
 * A new user's first `npm start`, until it says that it is ready: a clone of this commit, an empty home folder, no cache of
 * npm, pip or Go. What the system's package manager has installed stays. Throws when it does not get there.
 */
export async function measureColdSetup(): Promise<ColdSetup> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-cold-'));
  try {
    // Passed through by the user that Postgres runs as.
    await chmod(folder, 0o711);
    const clone = join(folder, 'holdfast');
    const { status, stderr } = spawnSync('git', ['clone', '--quiet', packageRoot, clone], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`no clone could be made: ${stderr}`);
    await mkdir(join(folder, 'home'));
    return await firstStart(clone, await newcomer(folder));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function firstStart(clone: string, env: NodeJS.ProcessEnv): Promise<ColdSetup> {
  const since = performance.now();
  const child = spawn(process.execPath, ['infra/setup.js', 'start'], {
    cwd: clone,
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
    signal: AbortSignal.timeout(longestMs),
  });
  const ended = new Promise<void>((resolve, reject) => child.once('error', reject).once('close', () => resolve()));
  const said: string[] = [];
  let ready_s: number | null = null;
  for await (const line of createInterface({ input: child.stderr })) {
    if (line.trim() !== '') said.push(line.trim());
    if (!line.startsWith('Holdfast is ready')) continue;
    ready_s = Math.round((performance.now() - since) / 100) / 10;
    child.kill('SIGTERM');
  }
  await ended;
  if (ready_s === null) throw new Error(`the first start failed: ${said.slice(-5).join(' | ')}`);
  // The data folder is a temporary one, whose name says nothing.
  return { ready_s, steps: said.filter((line) => line.startsWith('✓') && !line.startsWith('✓ data folder')) };
}

/** Where registries are, stays; what was ever fetched from them, or built, does not. */
async function newcomer(folder: string): Promise<NodeJS.ProcessEnv> {
  const caches = /^(HOLDFAST_|npm_|TEMPORAL_|QDRANT|DATABASE_URL$|GOCACHE$|GOMODCACHE$|GOPATH$|PIP_CACHE_DIR$|XDG_)/;
  const kept = Object.entries(process.env).filter(([name]) => !caches.test(name) || /registry$/.test(name));
  const ports = ['API', 'POSTGRES', 'TEMPORAL', 'TEMPORAL_UI', 'QDRANT'];
  const free = await Promise.all(
    ports.map(async (name): Promise<[string, string]> => [`HOLDFAST_${name}_PORT`, String(await getPort())]),
  );
  return {
    ...Object.fromEntries(kept),
    ...Object.fromEntries(free),
    HOME: join(folder, 'home'),
    HOLDFAST_HOME: join(folder, 'data'),
  };
}
