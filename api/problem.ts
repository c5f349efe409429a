import { problemKinds, type Problem, type ProblemKind } from '../domain/problem.ts';
import type { z } from 'zod';

type Extra = Partial<Pick<Problem, 'errors' | 'workflow_id' | 'run_id' | 'run_url' | 'next'>>;

/** Thrown anywhere in the API; answered as a problem document (RFC 9457). */
export class ApiProblem extends Error {
  override readonly name = 'ApiProblem';
  constructor(
    readonly kind: ProblemKind,
    detail: string,
    readonly extra: Extra = {},
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(detail);
  }

  get status(): number {
    return problemKinds[this.kind].status;
  }

  body(requestId: string): Problem {
    const { status, title } = problemKinds[this.kind];
    const type = `urn:holdfast:problem:${this.kind}`;
    return { type, title, status, detail: this.message, instance: `urn:holdfast:request:${requestId}`, ...this.extra };
  }
}

/** Where each fault is and what is wrong with it; never the value that was sent. */
export function invalid(error: z.ZodError): ApiProblem {
  const errors = error.issues.flatMap((issue) => faultsOf(issue));
  const detail = errors.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ');
  return new ApiProblem('invalid_request', detail, { errors });
}

function faultsOf(issue: z.core.$ZodIssue, within: readonly PropertyKey[] = []): { path: string; message: string }[] {
  const path = [...within, ...issue.path];
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => ({ path: [...path, key].join('.'), message: 'unknown field' }));
  // Of several shapes the one was meant that it comes closest to.
  const closest = issue.code === 'invalid_union' ? issue.errors.toSorted((a, b) => a.length - b.length)[0] : undefined;
  if (closest !== undefined && closest.length > 0) return closest.flatMap((each) => faultsOf(each, path));
  return [{ path: path.join('.'), message: issue.message }];
}

export function unavailable(detail: string, retryAfterSeconds = 5): ApiProblem {
  return new ApiProblem('unavailable', detail, {}, { 'retry-after': String(retryAfterSeconds) });
}
