import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { buildInfoSchema, type BuildInfo } from '../domain/health.ts';

/** What the build noted down of itself; `unknown` when it runs from source, where there was no build. */
export function readBuildInfo(packageRoot: string): BuildInfo {
  try {
    return buildInfoSchema.parse(JSON.parse(readFileSync(join(packageRoot, 'dist/build-info.json'), 'utf8')));
  } catch {
    return { build_sha: 'unknown', build_time: 'unknown', build_branch: 'unknown' };
  }
}

export function readVersion(packageRoot: string): string {
  const text = readFileSync(join(packageRoot, 'package.json'), 'utf8');
  return z.object({ version: z.string() }).parse(JSON.parse(text)).version;
}
