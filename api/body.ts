import express, { type Request, type Response } from 'express';
import { asStep } from './middleware.ts';
import { ApiProblem } from './problem.ts';

const bodyLimit = 256 * 1024;
const parse = asStep(
  express.json({
    limit: bodyLimit,
    strict: false,
    type: 'application/json',
    // Postgres holds neither; refused here, where the caller can be told, and not as a failed write.
    reviver: (key: string, value: unknown) => {
      if ([key, value].some((text) => typeof text === 'string' && /\0|\p{Surrogate}/u.test(text))) {
        throw new SyntaxError('not text'); // anything but a SyntaxError would lose what it is on its way through the parser
      }
      return value;
    },
  }),
);

/** Parses a JSON body into `request.body`; without one it stays undefined. */
export async function readBody(request: Request, response: Response): Promise<void> {
  const length = request.get('content-length');
  const hasBody = request.get('transfer-encoding') !== undefined || (length !== undefined && length !== '0');
  if (!hasBody) return;
  if (request.is('application/json') === false) {
    throw new ApiProblem('unsupported_media_type', 'Send the body as application/json.');
  }
  await parse(request, response);
}
