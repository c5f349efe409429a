import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildInfoSchema, type BuildInfo } from '../domain/health.ts';
import { packageRoot } from './package-root.ts';

/** What the build wrote of itself (row D15); `unknown` where this runs from source. */
export function readBuildInfo(): BuildInfo {
  try {
    return buildInfoSchema.parse(JSON.parse(readFileSync(join(packageRoot, 'dist/build-info.json'), 'utf8')));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return { build_sha: 'unknown', build_time: 'unknown', build_branch: 'unknown' };
  }
}

/** The version of this package. */
export function readVersion(): string {
  return (JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string }).version;
}
