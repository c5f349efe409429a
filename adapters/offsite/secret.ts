import { readFile } from 'node:fs/promises';
import type { SecretRef } from '../../domain/offsite/spec.ts';
import { OffsiteTrouble } from '../../domain/offsite/trouble.ts';
import type { Environment } from '../process/inherited-env.ts';

/** Read when it is needed, and kept nowhere. Throws OffsiteTrouble (refused), which says where it was looked for. */
export async function readSecret(ref: SecretRef, env: Environment): Promise<string> {
  const value = 'env' in ref ? env[ref.env] : await readFile(ref.file, 'utf8').catch(() => undefined);
  if (value !== undefined && value.trim() !== '') return value.trim();
  const place = 'env' in ref ? `the variable ${ref.env} of the worker` : ref.file;
  throw new OffsiteTrouble('refused', `There is no secret in ${place}`);
}
