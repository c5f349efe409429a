import type { Problem } from '../domain/problem.ts';
import { exitCodes, type ExitCode } from './exit-codes.ts';

interface Details {
  /** With --json: what goes to stdout. */
  readonly problem?: Problem;
  /** May pass by itself: the network, or an API that is just being restarted. */
  readonly transient?: boolean;
  /** Nobody knows whether the request was heard. */
  readonly lost?: boolean;
}

/** A failure that a person can do something about: one line, the exit code, and the next command. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly problem: Problem | null;
  readonly transient: boolean;
  readonly lost: boolean;
  constructor(
    message: string,
    readonly exitCode: ExitCode,
    /** null: the help of the command. */
    readonly next: string | null,
    { problem, transient = false, lost = false }: Details = {},
  ) {
    super(message);
    this.problem = problem ?? null;
    this.transient = transient;
    this.lost = lost;
  }
}

export function usageError(message: string): CliError {
  return new CliError(message, exitCodes.usage, null);
}

/** What --json prints for a failure that is not an answer of the API, in the form of one. */
export function ownProblem(detail: string, next: string): Problem {
  return { type: 'about:blank', title: 'The command failed', status: 0, detail, next };
}

/** Which exit code a problem of the API is, and what helps. */
export function problemError(problem: Problem): CliError {
  const { status, next } = problem;
  const [exitCode, advice] = meaning(status);
  return new CliError(sayProblem(problem), exitCode, next ?? advice, {
    problem,
    transient: status === 429 || status >= 500,
  });
}

function sayProblem({ detail, errors = [], run_url, workflow_id, run_id }: Problem): string {
  const fields = errors.map(({ path, message }) => `${path}: ${message}`).join('; ');
  const line = fields === '' || detail.includes(fields) ? detail : `${detail} (${fields})`;
  const run = run_url ?? (run_id === undefined ? undefined : `${workflow_id ?? ''} ${run_id}`);
  return run === undefined ? line : `${line} The run: ${run}`;
}

function meaning(status: number): [ExitCode, string | null] {
  if (status === 401) return [exitCodes.access, 'set HOLDFAST_TOKEN, or run as the user that started Holdfast'];
  if (status === 403) return [exitCodes.access, 'holdfast token create --actor <name> --role <role>'];
  if (status === 404) return [exitCodes.notFound, 'holdfast service list'];
  if (status === 409) return [exitCodes.refused, 'holdfast status'];
  if (status >= 400 && status < 429) return [exitCodes.usage, null];
  if (status === 429) return [exitCodes.failed, 'wait a moment, then the same command again'];
  return [exitCodes.failed, 'holdfast doctor'];
}
