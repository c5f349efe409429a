import { bundleWorkflowCode } from '@temporalio/worker';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../../infra/package-root.ts';

/** The workflows of the source tree as one bundle, built once and kept by content. Returns its path. */
export async function buildWorkflowBundle(): Promise<string> {
  const path = join(packageRoot, '.cache', `workflow-bundle-${await contentHash()}.js`);
  if (existsSync(path)) return path;
  const { code } = await bundleWorkflowCode({ workflowsPath: join(packageRoot, 'workflows/index.ts') });
  await mkdir(join(packageRoot, '.cache'), { recursive: true });
  await writeFile(`${path}.${process.pid}`, code);
  await rename(`${path}.${process.pid}`, path);
  return path;
}

/** The bundle that global-setup.ts built for this run. */
export function workflowBundle(): { readonly codePath: string } {
  const codePath = process.env['HOLDFAST_TEST_BUNDLE'];
  if (codePath === undefined) throw new Error('HOLDFAST_TEST_BUNDLE is not set: run tests through `npm test`');
  return { codePath };
}

async function contentHash(): Promise<string> {
  const hash = createHash('sha256');
  for (const folder of ['domain', 'workflows']) {
    const names = (await readdir(join(packageRoot, folder), { recursive: true })).filter((name) =>
      name.endsWith('.ts'),
    );
    for (const name of names.sort()) hash.update(name).update(await readFile(join(packageRoot, folder, name)));
  }
  hash.update(await readFile(join(packageRoot, 'package-lock.json')));
  return hash.digest('hex').slice(0, 16);
}
