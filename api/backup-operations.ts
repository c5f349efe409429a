import { z } from 'zod';
import { pageOf } from '../domain/answer.ts';
import { recoveryPointDetailSchema, recoveryPointSchema } from '../domain/backup/point-schemas.ts';
import {
  backupKeySchema,
  backupRequestSchema,
  backupRunSchema,
  pinRequestSchema,
  pruneRequestSchema,
  trustedKeySchema,
  trustRequestSchema,
  validateRequestSchema,
} from '../domain/backup/schemas.ts';
import { stampSchema } from '../domain/backup/stamp.ts';
import { backupKinds } from '../domain/backup/words.ts';
import { scheduleNames, schedulePutSchema, scheduleSchema } from '../domain/schedule/schedules.ts';
import { pageQuery } from './page.ts';

const ofPoint = z.object({ stamp: stampSchema });

/** Recovery points: made, looked at, kept and taken away. */
export const backupOperations = {
  backup_create: {
    summary: 'Make a recovery point: copy, prove by restoring it into scratch, publish',
    body: backupRequestSchema,
    answers: { 202: { description: 'The run that makes it', schema: backupRunSchema } },
  },
  backup_list: {
    summary: 'Recovery points, newest first',
    query: pageQuery.extend({
      place: z.enum(['kept', 'trash', 'purged', 'missing']).default('kept'),
    }),
    answers: { 200: { description: 'A page', schema: pageOf(recoveryPointSchema, 'RecoveryPointPage') } },
  },
  backup_show: {
    summary: 'One recovery point with what it holds, and what was found of it',
    params: ofPoint,
    answers: { 200: { description: 'The recovery point', schema: recoveryPointDetailSchema } },
  },
  backup_validate: {
    summary: 'Look at a recovery point again: its bytes, its structure, restored into scratch and equal',
    params: ofPoint,
    body: validateRequestSchema,
    answers: { 202: { description: 'The run that looks', schema: backupRunSchema } },
  },
  backup_pin: {
    summary: 'Keep a recovery point, whatever retention says',
    params: ofPoint,
    body: pinRequestSchema,
    answers: { 200: { description: 'The recovery point, pinned', schema: recoveryPointSchema } },
  },
  backup_unpin: {
    summary: 'Let retention decide on a recovery point again',
    params: ofPoint,
    answers: { 204: { description: 'Not pinned' } },
  },
  backup_prune: {
    summary: 'Take away what retention does not keep: to the trash first',
    body: pruneRequestSchema,
    answers: { 202: { description: 'The run that does it', schema: backupRunSchema } },
  },
  backup_run_list: {
    summary: 'Runs of the backup pipeline, newest first, without their evidence',
    query: pageQuery.extend({ kind: z.enum(backupKinds).optional(), stamp: stampSchema.optional() }),
    answers: { 200: { description: 'A page', schema: pageOf(backupRunSchema, 'BackupRunPage') } },
  },
  backup_run_show: {
    summary: 'One run with its evidence; as an event stream: each change until it is closed',
    params: z.object({ id: z.uuid() }),
    answers: { 200: { description: 'The run', schema: backupRunSchema } },
    text: 'text/event-stream',
  },
  backup_key_show: {
    summary: 'The public key that this box signs recovery points with: another box has to trust it to restore them',
    answers: { 200: { description: 'The key', schema: backupKeySchema } },
  },
  backup_key_trust: {
    summary: 'Believe what another box has signed from now on: its points can be pulled and restored here',
    body: trustRequestSchema,
    answers: { 200: { description: 'The id of the key that is trusted', schema: trustedKeySchema } },
  },
  schedule_list: {
    summary: 'What is done again and again: when, when next, and whether it is paused',
    answers: { 200: { description: 'All of them', schema: pageOf(scheduleSchema, 'SchedulePage') } },
  },
  schedule_put: {
    summary: 'Change when something is done, and what it is asked for; one that was paused goes on',
    params: z.object({ name: z.enum(scheduleNames) }),
    body: schedulePutSchema,
    answers: { 200: { description: 'The schedule', schema: scheduleSchema } },
  },
} as const;
