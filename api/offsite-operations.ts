import { z } from 'zod';
import { pageOf } from '../domain/answer.ts';
import { backupRunSchema } from '../domain/backup/schemas.ts';
import { pullRequestSchema, pushRequestSchema, targetPutSchema, targetSchema } from '../domain/offsite/schemas.ts';
import { targetNameSchema } from '../domain/offsite/spec.ts';

const ofTarget = z.object({ name: targetNameSchema });
const shown = { 200: { description: 'The target, how far it is behind, and its newest copies', schema: targetSchema } };

/** Row B5: other places for recovery points. */
export const offsiteOperations = {
  offsite_put: {
    summary: 'Name another place for recovery points. It is looked at first, and marked as this target',
    params: ofTarget,
    body: targetPutSchema,
    answers: shown,
  },
  offsite_list: {
    summary: 'Other places for recovery points, and how far each is behind',
    answers: { 200: { description: 'All of them', schema: pageOf(targetSchema, 'OffsiteTargetPage') } },
  },
  offsite_show: { summary: 'One other place, with its newest copies', params: ofTarget, answers: shown },
  offsite_remove: {
    summary: 'Push nothing there any more. What lies there stays',
    params: ofTarget,
    answers: { 204: { description: 'Not a target any more' } },
  },
  backup_push: {
    summary: 'Push what a target has not, now: also what was refused or damaged, without waiting for the next try',
    body: pushRequestSchema,
    answers: { 202: { description: 'The target that is pushed to', schema: targetSchema } },
  },
  backup_pull: {
    summary: 'Fetch a recovery point from another place; it is one here when every byte is what was signed',
    body: pullRequestSchema,
    answers: { 202: { description: 'The run that fetches it', schema: backupRunSchema } },
  },
} as const;
