import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
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

/** JSON with the keys in one order, whoever wrote the object. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
