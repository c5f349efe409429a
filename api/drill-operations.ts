import { z } from 'zod';
import { pageOf } from '../domain/answer.ts';
import { drillRequestSchema, drillSchema } from '../domain/drill/schemas.ts';
import { drillLevels } from '../domain/drill/words.ts';
import { pageQuery } from './page.ts';

/** Operations (operations.ts) on drills. */
export const drillOperations = {
  drill_start: {
    summary: 'Rehearse a restore: in scratch, which nobody notices, or live, which an operator confirms',
    body: drillRequestSchema,
    answers: { 202: { description: 'The drill that was started', schema: drillSchema } },
  },
  drill_list: {
    summary: 'Drills, newest first, without their evidence',
    query: pageQuery.extend({ level: z.enum(drillLevels).optional() }),
    answers: { 200: { description: 'A page', schema: pageOf(drillSchema, 'DrillPage') } },
  },
  drill_show: {
    summary: 'One drill with its evidence: how far it is, and once it is closed, what came of it',
    params: z.object({ id: z.uuid() }),
    answers: { 200: { description: 'The drill', schema: drillSchema } },
  },
} as const;
