import { z } from 'zod';
import { pageOf, runSchema } from '../domain/answer.ts';
import { projectName } from '../domain/project/names.ts';
import {
  generationSchema,
  refreshRequestSchema,
  rollbackRequestSchema,
  rollbackSchema,
  waveCommandRequestSchema,
  waveItemSchema,
  waveRequestSchema,
  waveSchema,
  webhookSecretSchema,
} from '../domain/wave/schemas.ts';
import { pageQuery } from './page.ts';

const ofProject = z.object({ id: projectName });
const ofWave = z.object({ id: z.uuid() });
const commandOfWave = (summary: string) => ({
  summary,
  params: ofWave,
  body: waveCommandRequestSchema,
  answers: { 200: { description: 'The wave, which has taken it', schema: waveSchema } },
});
/** Waves of documents, and what they make of a project. */
export const waveOperations = {
  wave_start: {
    summary: 'Start a wave: list, plan, stage, write, prove, commit',
    params: ofProject,
    body: waveRequestSchema,
    answers: { 202: { description: 'The wave that was started', schema: waveSchema } },
  },
  wave_list: {
    summary: 'Waves of a project, newest first, without their evidence',
    params: ofProject,
    query: pageQuery,
    answers: { 200: { description: 'A page', schema: pageOf(waveSchema, 'WavePage') } },
  },
  wave_show: {
    summary: 'One wave with its plan, progress and evidence; as an event stream: each change until it is closed',
    params: ofWave,
    answers: { 200: { description: 'The wave', schema: waveSchema } },
    text: 'text/event-stream',
  },
  wave_items: {
    summary: 'Documents of a wave that failed or are quarantined, with their reasons',
    params: ofWave,
    query: pageQuery,
    answers: { 200: { description: 'A page', schema: pageOf(waveItemSchema, 'WaveItemPage') } },
  },
  wave_approve: commandOfWave('Approve the plan of a wave'),
  wave_pause: commandOfWave('Begin nothing new until it is resumed'),
  wave_resume: commandOfWave('Go on'),
  wave_cancel: commandOfWave('Give a wave up; nothing of it is seen, and what it wrote is swept'),
  wave_retry: commandOfWave('Try what failed again, and only that'),
  wave_complete: commandOfWave('Declare a wave complete without what failed'),
  project_refresh: {
    summary: 'Bring a project up to date: a wave, or one more after that which runs',
    params: ofProject,
    body: refreshRequestSchema,
    answers: { 202: { description: 'The run that does it, or that is followed by one', schema: runSchema } },
  },
  project_webhook: {
    summary: "For a git host: a push, signed with the project's secret, brings the project up to date",
    params: ofProject,
    bytes: true,
    answers: { 202: { description: 'The run that does it, or that is followed by one', schema: runSchema } },
  },
  project_webhook_secret: {
    summary: 'What the webhook of a project is signed with',
    params: ofProject,
    answers: { 200: { description: 'The secret', schema: webhookSecretSchema } },
  },
  project_rollback: {
    summary: 'Put the last wave of a project back at once, and hold the project',
    params: ofProject,
    body: rollbackRequestSchema,
    answers: { 200: { description: 'What is visible now', schema: rollbackSchema } },
  },
  project_release: {
    summary: 'Let waves of a project that was rolled back write again',
    params: ofProject,
    answers: { 204: { description: 'Not held' } },
  },
  generation_list: {
    summary: 'Generations of a project, newest first',
    params: ofProject,
    query: pageQuery,
    answers: { 200: { description: 'A page', schema: pageOf(generationSchema, 'GenerationPage') } },
  },
} as const;
