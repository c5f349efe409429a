import { z } from 'zod';
import { roles } from '../role.ts';
import { overrideRefusals, type OverrideMessage } from './override.ts';
import { overrideActions } from './words.ts';

const releaseName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:@/+-]{0,199}$/, 'the id of a release');

/** Row D9: what an operator says to a run. */
export const overrideRequestSchema = z
  .strictObject({
    action: z.enum(overrideActions),
    target: releaseName.optional().meta({ description: 'Only, and always, with choose_target.' }),
    extend_ms: z.number().int().min(1_000).max(3_600_000).optional().meta({
      description: 'Only, and always, with extend_window.',
    }),
    force: z.boolean().default(false).meta({ description: 'Also a known bad target; needs the role admin.' }),
    reason: z.string().trim().min(1).max(500),
    expires_at: z.iso.datetime(),
  })
  .refine(({ action, target }) => (action === 'choose_target') === (target !== undefined), {
    path: ['target'],
    message: 'goes with choose_target, and choose_target with it',
  })
  .refine(({ action, extend_ms }) => (action === 'extend_window') === (extend_ms !== undefined), {
    path: ['extend_ms'],
    message: 'goes with extend_window, and extend_window with it',
  })
  .meta({ id: 'OverrideRequest' });
export type OverrideRequest = z.output<typeof overrideRequestSchema>;

/** In the request of a deploy: said before there is a run. */
export const policyOverrideSchema = z
  .strictObject({
    action: z.enum(['allow', 'deny', 'choose_target']),
    target: releaseName.optional(),
    reason: z.string().trim().min(1).max(500),
    expires_at: z.iso.datetime(),
  })
  .refine(({ action, target }) => (action === 'choose_target') === (target !== undefined), {
    path: ['target'],
    message: 'goes with choose_target, and choose_target with it',
  })
  .meta({ id: 'PolicyOverride' });

/** What reaches a run, by signal or by Update. */
export const overrideMessageSchema: z.ZodType<OverrideMessage> = overrideRequestSchema.safeExtend({
  /** The row that was written before; a signal from Temporal's UI has none. */
  override_id: z.uuid().optional(),
  actor: z.string().min(1).max(100),
  role: z.enum(roles),
});

/** A run's overrides as the API shows them, refused ones too. */
export const overrideSchema = z
  .object({
    id: z.string(),
    deploy_id: z.uuid(),
    action: z.string(),
    target: z.string().nullable(),
    extend_ms: z.number().int().nullable(),
    force: z.boolean(),
    reason: z.string(),
    actor: z.string(),
    role: z.string(),
    expires_at: z.iso.datetime().nullable(),
    accepted: z.boolean().nullable().meta({ description: 'null: the run has not said yet.' }),
    refusal: z.enum(overrideRefusals).nullable(),
    at: z.iso.datetime(),
  })
  .meta({ id: 'Override' });
export type Override = z.output<typeof overrideSchema>;
