import { z } from 'zod';
import { pageOf } from '../domain/answer.ts';
import {
  createdMemorySchema,
  forgetRequestSchema,
  forgottenMemorySchema,
  memoryRequestSchema,
  memorySchema,
  memorySearchAnswerSchema,
  memorySearchRequestSchema,
  memoryType,
} from '../domain/memory/schemas.ts';
import { memoryStates } from '../domain/memory/words.ts';
import { projectName } from '../domain/project/names.ts';
import { pageQuery } from './page.ts';

const ofMemory = z.object({ id: z.uuid() });

/** Operations (operations.ts) on memories. */
export const memoryOperations = {
  memory_create: {
    summary: 'Remember something, with where it comes from',
    body: memoryRequestSchema,
    answers: { 201: { description: 'The memory', schema: createdMemorySchema } },
  },
  memory_list: {
    summary: 'Memories of the project that is named, or of none, newest first',
    query: pageQuery.extend({
      project: projectName.optional(),
      type: memoryType.optional(),
      state: z.enum(memoryStates).optional(),
    }),
    answers: { 200: { description: 'A page', schema: pageOf(memorySchema, 'MemoryPage') } },
  },
  memory_show: {
    summary: 'One memory',
    params: ofMemory,
    answers: { 200: { description: 'The memory', schema: memorySchema } },
  },
  memory_forget: {
    summary: 'Forget a memory for good: no restore brings it back',
    params: ofMemory,
    body: forgetRequestSchema,
    answers: { 200: { description: 'Forgotten', schema: forgottenMemorySchema } },
  },
  memory_search: {
    summary: 'Search memories of the projects that are named and of none, by meaning and by words',
    body: memorySearchRequestSchema,
    answers: { 200: { description: 'What was found, and what was degraded', schema: memorySearchAnswerSchema } },
  },
} as const;
