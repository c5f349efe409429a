import { z } from 'zod';

/** Every kind of problem the API answers; `type` in RFC 9457 is `urn:holdfast:problem:<kind>`. */
export const problemKinds = {
  invalid_request: { status: 400, title: 'The request is not valid' },
  unauthenticated: { status: 401, title: 'A valid bearer token is needed' },
  forbidden: { status: 403, title: 'The role of this token does not allow that' },
  not_found: { status: 404, title: 'There is no such thing' },
  method_not_allowed: { status: 405, title: 'This path does not take that method' },
  busy: { status: 409, title: 'Another run is in the way' },
  conflict: { status: 409, title: 'That does not fit what is there' },
  payload_too_large: { status: 413, title: 'The request body is too large' },
  unsupported_media_type: { status: 415, title: 'The body must be application/json' },
  idempotency_key_reused: { status: 422, title: 'This idempotency key was used for another request' },
  rate_limited: { status: 429, title: 'Too many requests' },
  internal: { status: 500, title: 'Holdfast failed here' },
  unavailable: { status: 503, title: 'A part that this needs does not answer' },
} as const;
export type ProblemKind = keyof typeof problemKinds;

export const problemSchema = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    instance: z.string().optional(),
    errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
    /** With `busy`: the run in the way. */
    workflow_id: z.string().optional(),
    run_id: z.string().optional(),
    run_url: z.string().optional(),
    next: z.string().optional().meta({ description: 'The command that helps.' }),
  })
  .meta({ id: 'Problem' });
export type Problem = z.output<typeof problemSchema>;
