import {
  ProtocolError,
  ProtocolErrorCode,
  ResourceNotFoundError,
  type CallToolResult,
} from '@modelcontextprotocol/server';
import type { Problem, ProblemKind } from '../../domain/problem.ts';
import { problemOf } from '../failure.ts';
import type { Logger } from '../log.ts';
import { redacted } from './redacted.ts';

/** What helps where the problem itself does not say. */
const advice: Readonly<Record<ProblemKind, string>> = {
  invalid_request: 'Correct the arguments: the schema of the tool says what each may be.',
  unauthenticated: 'Give the host of this agent a valid token: holdfast token create.',
  forbidden: 'Ask a person for a token of that role: holdfast token create --actor <name> --role <role>.',
  not_found: 'service_list and deploy_list say what there is.',
  method_not_allowed: 'Call one of the tools that are listed.',
  busy: 'Wait until the run in the way has ended: deploy_show says how far it is.',
  conflict: 'Look at how it stands first: service_show, deploy_show.',
  payload_too_large: 'Send less.',
  unsupported_media_type: 'Send JSON.',
  idempotency_key_reused: 'Take a new idempotency_key for a new request.',
  rate_limited: 'Wait a minute, then call again.',
  internal: 'Give a person the request id in `instance`; the log of the API has the cause.',
  unavailable: 'Wait some seconds, then call again; health_show says which part does not answer.',
};

/** Any error of an action as a problem with advice; what went wrong inside stays in the log. */
export function explain(error: unknown, requestId: string, log: Logger): Problem {
  const problem = problemOf(error);
  if (problem.status >= 500) log[problem.kind === 'internal' ? 'error' : 'warn']({ request_id: requestId, err: error });
  return { next: advice[problem.kind], ...problem.body(requestId) };
}

/** As text only: clients of 2025 hold any structured content against the schema of a success, and would hide this. */
export function failed(problem: object): CallToolResult {
  return { isError: true, content: [{ type: 'text', text: redacted(problem) }] };
}

export function resourceError(uri: string, problem: Problem): ProtocolError {
  const said = `${problem.detail} ${problem.next ?? ''}`.trim();
  if (problem.status === 404) return new ResourceNotFoundError(uri, said);
  const code = problem.status >= 500 ? ProtocolErrorCode.InternalError : ProtocolErrorCode.InvalidParams;
  return new ProtocolError(code, said, problem);
}
