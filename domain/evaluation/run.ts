import type { EvaluationRequest } from './schemas.ts';

/** What an evaluation is started with; names are resolved. */
export interface EvaluationInput {
  readonly evaluation_id: string;
  /** Where the folder is, and where it is worked on. */
  readonly box: string;
  readonly actor: string;
  readonly subject: string;
  readonly request: EvaluationRequest;
}

/** One at a time of a subject: two would compare themselves with each other. */
export function evaluationWorkflowId(subject: string): string {
  return `evaluation/${subject}`;
}

/** What an evaluation was made with, as it is kept. */
export function settingsOf({ generation, against, folder, split, keep, k, depth, seed }: EvaluationRequest) {
  return { generation, against, folder, split, keep, k, depth, seed };
}

/** What of an evaluation is compared over time. A folder is known by its name, wherever it is. */
export function subjectOf(request: EvaluationRequest): { subject: string; question_set: string } {
  const { project, question_set, folder } = request;
  if (folder === undefined) {
    return { subject: `project/${project ?? ''}/${question_set ?? ''}`, question_set: question_set ?? '' };
  }
  const name = folder.replace(/\/+$/, '').split('/').at(-1) ?? '';
  return { subject: `collection/${name}`, question_set: request.split ?? 'default' };
}

/** The project that a folder is read into. */
export function scratchProject(evaluationId: string): string {
  return `scratch-${evaluationId.slice(0, 13)}`;
}
