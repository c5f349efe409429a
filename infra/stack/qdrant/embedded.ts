import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { packageRoot } from '../../package-root.ts';
import { installSystemPackage } from '../apt.ts';
import { placeFolder } from '../download/cached-files.ts';
import type { Downloads } from '../download/downloads.ts';
import { findPython, packageManager, versionOf, type Python } from '../prerequisites.js';
import { runPython } from '../run-python.ts';
import type { QdrantProgram } from './qdrant.ts';
import { asStackError } from '../stack-error.ts';
import { WayClosed } from '../ways.ts';

const run = promisify(execFile);
const source = join(packageRoot, 'infra/qdrant');
const lock = join(source, 'requirements.txt');
const packages = { what: 'the embedded Qdrant', lock: 'infra/qdrant/requirements.txt' };

type EmbeddedQdrant = QdrantProgram & { readonly origin: string };
type Making = Pick<Downloads, 'cache' | 'say' | 'signal'>;

/**
 * Qdrant's engine behind a server of our own, in a Python environment of its own that is made in the cache at first use.
 * Throws WayClosed when this machine cannot make it.
 */
export async function embeddedQdrant(making: Making): Promise<EmbeddedQdrant> {
  const there = await findEmbeddedQdrant(making.cache);
  if (there !== null) return there;
  const python = await usablePython(making);
  const folder = join(making.cache, `${await environmentName()}-python${python.version}`);
  making.say('making the Python environment of the embedded Qdrant, once');
  try {
    await placeFolder(
      folder,
      () => isWhole(folder),
      (partial) => makeEnvironment(partial, python, making),
    );
  } catch (error) {
    throw error instanceof WayClosed ? error : asStackError(error, 'making the environment of the embedded Qdrant');
  }
  return program(folder);
}

/** What would be used now, without making anything, of whichever Python it is; null: it is not there yet. */
export async function findEmbeddedQdrant(cache: string): Promise<EmbeddedQdrant | null> {
  const start = `${await environmentName()}-python`;
  const names = await readdir(cache).catch(() => []);
  for (const name of names.filter((each) => each.startsWith(start) && !each.includes('.partial')).sort()) {
    const folder = join(cache, name);
    if (await isWhole(folder)) return program(folder);
  }
  return null;
}

function program(folder: string): EmbeddedQdrant {
  return {
    // Neither the user's own packages nor what PYTHON* may say: those of the environment.
    argv: [pythonOf(folder), '-s', '-m', 'embedded_qdrant'],
    env: { PYTHONPATH: source, PYTHONDONTWRITEBYTECODE: '1', PYTHONUNBUFFERED: '1' },
    origin: `embedded, on Python ${versionIn(folder)}`,
  };
}

/** Of these packages and this kind of machine alone; the version of Python stands behind it. */
async function environmentName(): Promise<string> {
  const sum = createHash('sha256')
    .update(await readFile(lock))
    .digest('hex');
  return `qdrant-embedded-${sum.slice(0, 12)}-${process.arch}`;
}

/** It is put there whole; but the Python that it leads to may have been removed or replaced since. */
async function isWhole(folder: string): Promise<boolean> {
  return (await versionOf([pythonOf(folder), '--version'], /Python (\d+\.\d+)/)) === versionIn(folder);
}

function versionIn(folder: string): string {
  return /python([\d.]+)$/.exec(folder)?.[1] ?? '';
}

function pythonOf(folder: string): string {
  return join(folder, 'bin', 'python');
}

/** Debian has the module in a package of its own. */
async function usablePython({ say }: Making): Promise<Python> {
  const python = await findPython();
  if (python?.hasVenv === true) return python;
  if ((await packageManager()) !== null) {
    await installSystemPackage('python3-venv', say);
    const installed = await findPython();
    if (installed?.hasVenv === true) return installed;
  }
  throw new WayClosed(
    python === null
      ? 'the embedded Qdrant needs Python 3.10 or newer, which is not installed'
      : `the embedded Qdrant needs venv, which ${python.path} does not have`,
  );
}

async function makeEnvironment(folder: string, python: Python, { say, signal }: Making): Promise<void> {
  const work = { ...packages, say, signal };
  await runPython(python.path, ['-m', 'venv', '--without-pip', folder], work);
  // By itself, because venv does not tell why it failed.
  await runPython(pythonOf(folder), ['-m', 'ensurepip'], work);
  const flags = ['--no-input', '--disable-pip-version-check', '--progress-bar', 'off'];
  // Wheels only, and only those of the lock file: nothing that was fetched is run while it is installed.
  const locked = ['--require-hashes', '--no-deps', '--only-binary', ':all:', '--requirement'];
  await runPython(pythonOf(folder), ['-m', 'pip', 'install', ...flags, ...locked, lock], work);
  await runPython(pythonOf(folder), ['-c', 'import embedded_qdrant.app'], work, { PYTHONPATH: source });
  // So that a power cut leaves all of it, or a folder that does not have its name yet.
  await run('sync', ['-f', folder]).catch(() => undefined);
}
