import type { ErrorRequestHandler, RequestHandler, Response } from 'express';
import { problemOf } from './failure.ts';
import { localsOf } from './locals.ts';
import type { Logger } from './log.ts';
import { ApiProblem } from './problem.ts';
import type { Answer } from './perform.ts';

export function sendAnswer(response: Response, { status, body, location }: Answer): void {
  response.status(status);
  if (location !== undefined) response.set('location', location);
  if (body === undefined) response.end();
  else response.type(status >= 400 ? 'application/problem+json' : 'application/json').json(body);
}

export const noSuchPath: RequestHandler = (request) => {
  throw new ApiProblem('not_found', `There is nothing at ${request.path}.`);
};

/** Every error ends here as a problem document; what went wrong inside stays in the log. */
export function answerProblems(log: Logger): ErrorRequestHandler {
  // Express knows an error handler by its four parameters.
  // eslint-disable-next-line @typescript-eslint/no-unused-vars
  return (error: unknown, _request, response, _next) => {
    const problem = problemOf(error);
    const requestId = localsOf(response).request_id;
    if (problem.status >= 500)
      log[problem.kind === 'internal' ? 'error' : 'warn']({ request_id: requestId, err: error });
    // Too late to answer: a stream that breaks off is what tells the client.
    if (response.headersSent) return void response.destroy();
    response.set(problem.headers);
    sendAnswer(response, { status: problem.status, body: problem.body(requestId) });
  };
}
