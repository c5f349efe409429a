import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { canonicalJson } from '../canonical-json.ts';
import type { ServiceSpec } from '../service.ts';

/**
 * Row D2: a hash of everything in a service's specification that decides what runs. An edited environment is another
 * configuration, so values count; they cannot be read back from the hash.
 */
export function configHash({ run, build, container }: Pick<ServiceSpec, 'run' | 'build' | 'container'>): string {
  const { argv, env, cwd } = run;
  const steps = build.map((step) => step.argv);
  return `sha256:${bytesToHex(sha256(utf8ToBytes(canonicalJson({ argv, env, cwd, build: steps, container }))))}`;
}
