import { z } from 'zod';
import { resolvedBy } from '../project/names.ts';
import { sourceName } from '../project/source.ts';
import { skipReasons } from './item.ts';

const count = z.number().int().min(0);
const age = z.number().min(0).meta({ description: 'Seconds since then.' });

const skippedSchema = z
  .partialRecord(z.enum(skipReasons), z.object({ count, examples: z.array(z.string()) }))
  .meta({ description: 'What is there and was left out, by reason.' });

const truthSchema = z
  .object({
    revision: z.string().nullable(),
    items: count,
    bytes: count,
    listed_at: z.iso.datetime(),
    age_s: age,
    skipped: skippedSchema,
  })
  .meta({ id: 'SourceTruth', description: 'What the source held when it was last listed.' });

const stagedSchema = z
  .object({ items: count, bytes: count, boxes: z.array(z.string()), newest_at: z.iso.datetime(), age_s: age })
  .meta({ id: 'StagedInputs', description: 'What is in the content-addressed store of a box.' });

const storeSchema = z
  .object({
    documents: count,
    bytes: count,
    generation: count,
    committed_at: z.iso.datetime().nullable(),
    age_s: age.nullable(),
  })
  .meta({ id: 'MachineStore', description: 'What answers are given from.' });

/** From one place to the next: what the next one lacks, has in another version, and has although it is gone. */
const driftSchema = z.object({ missing: count, differing: count, extra: count });

/** Row W2: the three places of a source, and how far apart they are. null: nothing was ever put there. */
export const sourceStatusSchema = z
  .object({
    source: sourceName,
    kind: z.string().nullable().meta({ description: 'null: no longer a source of the project.' }),
    truth: truthSchema.nullable(),
    staged: stagedSchema.nullable(),
    store: storeSchema.nullable(),
    drift: z.object({ staged: driftSchema, store: driftSchema }),
    quarantined: count,
  })
  .meta({ id: 'SourceStatus' });
export type SourceStatus = z.output<typeof sourceStatusSchema>;

export const sourceStatusesSchema = z
  .object({ project: z.string(), resolved_by: resolvedBy, items: z.array(sourceStatusSchema), next_cursor: z.null() })
  .meta({ id: 'SourceStatuses' });

/** What the machine store lacks or holds too much of; a quarantined file is no drift, because no wave would change it. */
export function isBehind({ drift, quarantined }: SourceStatus): boolean {
  const { missing, differing, extra } = drift.store;
  return missing + differing + extra > quarantined;
}
