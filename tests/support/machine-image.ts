import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { busyboxPath } from './docker.ts';

/** What a test puts into an image: files and folders of this machine at their own paths, and what is elsewhere there. */
export interface MachineImage {
  /** Programs and libraries; what they are linked with comes along. */
  readonly programs: readonly string[];
  readonly folders: readonly string[];
  /** Names of files and folders that are left out. */
  readonly without?: RegExp;
  /** From a path of this machine to one of the image. */
  readonly placed?: Readonly<Record<string, string>>;
}

/** The one layer of an image, as a tar. It has a shell, and a folder for temporary files. */
export async function machineLayer({ programs, folders, without, placed = {} }: MachineImage): Promise<Buffer> {
  const root = mkdtempSync(join(tmpdir(), 'holdfast-image-'));
  try {
    for (const file of new Set([...programs, ...librariesOf(programs)])) copy(file, join(root, file));
    for (const folder of folders.filter((path) => existsSync(path))) copy(folder, join(root, folder), without);
    for (const [from, to] of Object.entries(placed)) copy(from, join(root, to));
    copy(await busyboxPath(), join(root, 'bin/sh'));
    mkdirSync(join(root, 'tmp'), { recursive: true });
    const tar = ['--create', '--numeric-owner', '--owner=0', '--group=0', '--directory', root, '.'];
    return execFileSync('tar', tar, { maxBuffer: 2 ** 30 });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

function librariesOf(programs: readonly string[]): string[] {
  if (programs.length === 0) return [];
  const said = execFileSync('ldd', programs, { encoding: 'utf8', maxBuffer: 2 ** 26 });
  return [...said.matchAll(/^\s+(?:\S+ => )?(\/\S+) \(0x/gm)].map(([, path]) => path ?? '');
}

function copy(from: string, to: string, without?: RegExp): void {
  mkdirSync(dirname(to), { recursive: true });
  const filter = (path: string): boolean => without?.test(basename(path)) !== true;
  cpSync(from, to, { recursive: true, dereference: true, force: true, filter });
}
