import { z } from 'zod';
import { projectId } from './project/names.ts';
import { roles } from './role.ts';

const actorName = z
  .string()
  .regex(/^[a-z][a-z0-9._-]{0,62}$/, 'lower-case letters, digits, dots, underscores and hyphens, at most 63');

export const tokenRequestSchema = z
  .strictObject({
    actor: actorName.meta({ description: 'Who the token stands for in the audit.' }),
    role: z.enum(roles),
    projects: z
      .array(projectId)
      .min(1)
      .max(50)
      .optional()
      .meta({ description: 'It sees these only, and nothing that is of no project. Default: everything.' }),
    expires_at: z.iso.datetime().optional(),
  })
  .refine(({ role, projects }) => role !== 'admin' || projects === undefined, {
    path: ['projects'],
    message: 'an administrator is one of everything',
  })
  .meta({ id: 'TokenRequest' });

export const tokenSchema = z
  .object({
    id: z.string(),
    actor: actorName,
    role: z.enum(roles),
    projects: z.array(z.string()).nullable().meta({ description: 'null: everything.' }),
    created_at: z.iso.datetime(),
    expires_at: z.iso.datetime().nullable(),
    revoked_at: z.iso.datetime().nullable(),
    last_used_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'Token' });

export const newTokenSchema = tokenSchema
  .extend({ token: z.string().meta({ description: 'The secret; shown once, stored hashed.' }) })
  .meta({ id: 'NewToken' });
