import { z } from 'zod';
import { pageOf } from '../domain/answer.ts';
import { projectName } from '../domain/project/names.ts';
import { sourceStatusesSchema } from '../domain/source/status.ts';
import { removalQuery, sourceParams, uploadedFileSchema, uploadQuery, uploadSchema } from '../domain/source/upload.ts';
import { pageQuery } from './page.ts';

/** Operations (operations.ts) on the sources of a project. */
export const sourceOperations = {
  source_status: {
    summary: 'The three places of each source of a project (source truth, staged inputs, machine store): age and drift',
    params: z.object({ id: projectName }),
    answers: { 200: { description: 'All of them', schema: sourceStatusesSchema } },
  },
  source_upload: {
    summary: 'Put a file, or an archive of files, into a source of kind upload',
    params: sourceParams,
    query: uploadQuery,
    bytes: true,
    answers: { 201: { description: 'What it brought', schema: uploadSchema } },
  },
  source_files: {
    summary: 'What a source of kind upload holds, by path',
    params: sourceParams,
    query: pageQuery,
    answers: { 200: { description: 'A page', schema: pageOf(uploadedFileSchema, 'UploadedFilePage') } },
  },
  source_file_remove: {
    summary: 'Take an uploaded file away; the next wave removes its document',
    params: sourceParams,
    query: removalQuery,
    answers: { 204: { description: 'Removed' } },
  },
} as const;
