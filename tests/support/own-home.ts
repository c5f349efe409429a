import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig, type Config } from '../../infra/config.ts';
import { createReport, type Report } from '../../infra/stack/report.ts';

export const asRoot = process.getuid?.() === 0;

/** A folder that the user that Postgres runs as can enter. Removed by `remove`. */
export function createFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'holdfast-stack-'));
  chmodSync(path, 0o711);
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** The configuration of a data folder of its own; only what was built before is shared with the user's. */
export function configFor(home: string, env: Readonly<Record<string, string>> = {}): Config {
  return loadConfig({
    HOLDFAST_HOME: home,
    HOLDFAST_CACHE: loadConfig().cache,
    HOLDFAST_BOX: 'test',
    HOLDFAST_DOWNLOADS: 'off',
    // A model takes memory and seconds: tests that are about one say so.
    HOLDFAST_EMBEDDINGS: 'none',
    ...env,
  });
}

/** What a command of this data folder is run with: nothing of ours that points to other servers. */
export function environmentFor(home: string, env: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const ours = Object.entries(process.env).filter(
    ([name]) => !/^(HOLDFAST_|TEMPORAL_|DATABASE_URL|QDRANT_)/.test(name),
  );
  return {
    ...Object.fromEntries(ours),
    HOLDFAST_HOME: home,
    HOLDFAST_CACHE: loadConfig().cache,
    HOLDFAST_DOWNLOADS: 'off',
    HOLDFAST_EMBEDDINGS: 'none',
    ...env,
  };
}

/** Keeps what a person would have read. */
export function listeningReport(): { readonly lines: string[]; readonly report: Report } {
  const lines: string[] = [];
  return { lines, report: createReport((line) => lines.push(line)) };
}

/** Only root, and not in every container. */
export const canMount = asRoot && mounts();

/** A disk of its own, in memory, that can be given another size or made read-only. */
export function createSmallDisk(path: string, size: string): { change(options: string): void; remove(): void } {
  mkdirSync(path, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=711`, 'tmpfs', path]);
  return {
    change: (options) => void execFileSync('mount', ['-o', `remount,${options}`, path]),
    remove: () => void execFileSync('umount', ['-l', path]),
  };
}

function mounts(): boolean {
  const folder = createFolder();
  const { status } = spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', folder.path]);
  if (status === 0) spawnSync('umount', [folder.path]);
  folder.remove();
  return status === 0;
}
