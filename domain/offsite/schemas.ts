import { z } from 'zod';
import { stampSchema } from '../backup/stamp.ts';
import { targetNameSchema, targetSpecSchema } from './spec.ts';

const count = z.number().int().min(0);

/** As it was when it was looked at last. */
export const targetStates = ['unknown', 'reachable', 'away', 'full', 'refused'] as const;
export type TargetState = (typeof targetStates)[number];

/** removed: retention let it go, here and there; one that is kept here again is pushed again. */
export const copyStates = ['uploading', 'verified', 'damaged', 'refused', 'removing', 'removed'] as const;
export type CopyState = (typeof copyStates)[number];

/** same: by the policy of this box. none: nothing is ever taken away there. */
export const targetRetentions = ['same', 'none'] as const;
export type TargetRetention = (typeof targetRetentions)[number];

/** Row B5. */
export const targetPutSchema = z
  .strictObject({
    spec: targetSpecSchema,
    enabled: z.boolean().default(true),
    retention: z.enum(targetRetentions).optional().meta({
      description:
        'same: what this box has purged goes there too, where the same policy keeps it no longer. none: nothing ever goes. Default: as it was; of a new one same.',
    }),
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
    retention: z.enum(targetRetentions),
    retention_reason: z.string().nullable().meta({
      description: 'Why what retention lets go cannot be taken away there; null: nothing is in the way.',
    }),
    lag: z
      .object({
        waiting: count,
        waiting_bytes: count,
        due: count.meta({
          description:
            'Of these: pushed now. The others were refused or damaged, and wait for hours or until somebody asks.',
        }),
        lag_seconds: count.meta({ description: 'So much would be lost with this box; 0: nothing.' }),
        newest_verified: stampSchema.nullable(),
      })
      .meta({ id: 'OffsiteLag' }),
    copies: z.array(copySchema).meta({ description: 'Newest first.' }),
  })
  .meta({ id: 'OffsiteTarget' });
export type TargetView = z.output<typeof targetSchema>;
