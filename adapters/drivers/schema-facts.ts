import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { SchemaFacts } from '../../domain/deploy/instance.ts';
import { PermanentFailure } from '../../domain/failures.ts';
import { jsonIn } from '../files/json.ts';

/** In the root of a release, put there by the source or by a build step. */
export const schemaFile = 'holdfast.release.json';

const version = z.number().int().min(0).nullable().default(null);
const schemaFacts = z.strictObject({ schema_version: version, schema_reads_to: version });

/** A release need not say anything of its schema; what it says wrongly would be found out by its data. Throws BuildFailed. */
export async function schemaFactsIn(path: string): Promise<SchemaFacts> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { schema_version: null, schema_reads_to: null };
    throw new PermanentFailure('BuildFailed', `${schemaFile} cannot be read: ${(error as Error).message}`);
  }
  const read = schemaFacts.safeParse(jsonIn(text));
  if (read.success) return read.data;
  const shape = '{"schema_version": <whole number>, "schema_reads_to": <whole number>}';
  throw new PermanentFailure('BuildFailed', `${schemaFile} is not ${shape}: ${z.prettifyError(read.error)}`);
}
