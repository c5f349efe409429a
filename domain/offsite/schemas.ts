import { z } from 'zod';
import { stampSchema } from '../backup/stamp.ts';
import { targetNameSchema, targetSpecSchema } from './spec.ts';

const count = z.number().int().min(0);

/** As it was when it was looked at last. */
export const targetStates = ['unknown', 'reachable', 'away', 'full', 'refused'] as const;
export type TargetState = (typeof targetStates)[number];

export const copyStates = ['uploading', 'verified', 'damaged', 'refused'] as const;
export type CopyState = (typeof copyStates)[number];

/** Row B5. */
export const targetPutSchema = z
  .strictObject({
    spec: targetSpecSchema,
    enabled: z.boolean().default(true),
    adopt: z.boolean().default(false).meta({
      description: 'The place is a target of Holdfast already, of a box that is lost: take it over.',
    }),
  })
  .meta({ id: 'OffsiteTargetPut' });
export type TargetPut = z.output<typeof targetPutSchema>;

export const pushRequestSchema = z
  .strictObject({ target: targetNameSchema })
  .meta({ id: 'BackupPushRequest', description: 'The target that is to be tried now.' });

export const pullRequestSchema = z
  .strictObject({
    target: targetNameSchema,
    stamp: stampSchema.optional().meta({ description: 'Default: the newest point that is whole there.' }),
  })
  .meta({ id: 'BackupPullRequest' });
export type PullRequest = z.output<typeof pullRequestSchema>;

const copySchema = z
  .object({
    stamp: stampSchema,
    state: z
      .enum(copyStates)
      .meta({ description: 'It counts as off-host when it is verified: every byte was read back.' }),
    bytes: count,
    total_bytes: count,
    reason: z.string().nullable(),
    begun_at: z.iso.datetime(),
    verified_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'OffsiteCopy' });

export const targetSchema = z
  .object({
    name: targetNameSchema,
    id: z.uuid().meta({ description: 'What its marker says at the other place.' }),
    box: z.string(),
    spec: targetSpecSchema,
    enabled: z.boolean(),
    state: z.enum(targetStates),
    reason: z.string().nullable(),
    since: z.iso.datetime().meta({ description: 'Since when it is in this state.' }),
    looked_at: z.iso.datetime().nullable(),
    lag: z
      .object({
        waiting: count,
        waiting_bytes: count,
        lag_seconds: count.meta({ description: 'So much would be lost with this box; 0: nothing.' }),
        newest_verified: stampSchema.nullable(),
      })
      .meta({ id: 'OffsiteLag' }),
    copies: z.array(copySchema).meta({ description: 'Newest first.' }),
  })
  .meta({ id: 'OffsiteTarget' });
export type TargetView = z.output<typeof targetSchema>;
