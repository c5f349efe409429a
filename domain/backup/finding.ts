import { z } from 'zod';

/**
 * How deep a recovery point was looked at. L0: the stored bytes. L1: signature, seals, structure of each member. L2: restored
 * into scratch and equal. L3: the application boots on it.
 */
export const levels = ['L0', 'L1', 'L2', 'L3'] as const;
export type Level = (typeof levels)[number];

export const findingSchema = z
  .object({
    level: z.enum(levels),
    check: z.string().meta({ examples: ['member.bytes', 'manifest.signature'] }),
    ok: z.boolean(),
    reason: z.string(),
    detail: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'BackupFinding', description: 'What a check of a recovery point found, at the level that it is of.' });

/** The outcome of one check of a recovery point. `check`: stable, with the member's name behind it where it is of one. */
export type Finding = z.infer<typeof findingSchema>;
