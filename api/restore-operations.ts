import { z } from 'zod';
import { pageOf } from '../domain/answer.ts';
import { stampSchema } from '../domain/backup/stamp.ts';
import { restoreRequestSchema, restoreSchema } from '../domain/restore/schemas.ts';
import { pageQuery } from './page.ts';

const ofRestore = z.object({ id: z.uuid() });
const told = { 202: { description: 'The restore, which was told', schema: restoreSchema } } as const;

/** Restores: started, looked at, and let go or undone. */
export const restoreOperations = {
  restore_start: {
    summary: 'Restore a recovery point: beside what is live, compared, swapped, and held so that it can be undone',
    params: z.object({ stamp: stampSchema }),
    body: restoreRequestSchema,
    answers: { 202: { description: 'The restore', schema: restoreSchema } },
  },
  restore_list: {
    summary: 'Restores, newest first, without their evidence',
    query: pageQuery,
    answers: { 200: { description: 'A page', schema: pageOf(restoreSchema, 'RestorePage') } },
  },
  restore_show: {
    summary: 'One restore with its evidence; as an event stream: each change until it is closed',
    params: ofRestore,
    answers: { 200: { description: 'The restore', schema: restoreSchema } },
    text: 'text/event-stream',
  },
  restore_cancel: {
    summary: 'Stop a restore before anything is swapped: what it has restored beside is dropped',
    params: ofRestore,
    answers: told,
  },
  restore_undo: {
    summary: 'Put the old side of a restore back, while it is held',
    params: ofRestore,
    answers: told,
  },
  restore_release: {
    summary: 'Let the old side of a restore go: it is deleted, and there is no undo any more',
    params: ofRestore,
    answers: told,
  },
} as const;
