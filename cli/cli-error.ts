import type { Problem } from '../domain/problem.ts';
import { exitCodes, type ExitCode } from './exit-codes.ts';

/** A failure that a person can do something about: one line, the exit code, and the next command. */
export class CliError extends Error {
  override readonly name = 'CliError';
  constructor(
    message: string,
    readonly exitCode: ExitCode,
    readonly next: string,
    /** With --json: what goes to stdout. */
    readonly problem: Problem | null = null,
  ) {
    super(message);
  }
}

export function usageError(message: string): CliError {
  return new CliError(message, exitCodes.usage, 'holdfast --help');
}

/** Which exit code a problem of the API is, and what helps. */
export function problemError(problem: Problem): CliError {
  const { status, detail, next, errors = [] } = problem;
  const fields = errors.map(({ path, message }) => `${path}: ${message}`).join('; ');
  const line = fields === '' || detail.includes(fields) ? detail : `${detail} (${fields})`;
  const [exitCode, advice] = meaning(status);
  return new CliError(line, exitCode, next ?? advice, problem);
}

function meaning(status: number): [ExitCode, string] {
  if (status === 401) return [exitCodes.access, 'set HOLDFAST_TOKEN, or run as the user that started Holdfast'];
  if (status === 403) return [exitCodes.access, 'holdfast token create --actor <name> --role <role>'];
  if (status === 404) return [exitCodes.notFound, 'holdfast service list'];
  if (status === 409) return [exitCodes.refused, 'holdfast status'];
  if (status >= 400 && status < 429) return [exitCodes.usage, 'holdfast --help'];
  if (status === 429) return [exitCodes.failed, 'wait a moment, then the same command again'];
  return [exitCodes.failed, 'holdfast doctor'];
}
