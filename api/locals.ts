import type { Response } from 'express';
import type { Caller } from '../adapters/postgres/tokens.ts';
import type { ActionName } from '../domain/action.ts';

/** What is known of the request that this answers. */
export interface RequestLocals {
  request_id: string;
  action?: ActionName;
  caller?: Caller;
}

export function localsOf(response: Response): RequestLocals {
  return response.locals as RequestLocals;
}
