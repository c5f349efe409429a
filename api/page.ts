import { z } from 'zod';
import { ApiProblem } from './problem.ts';

export const pageQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(500).optional().meta({ description: '`next_cursor` of the page before; opaque.' }),
});

interface Page<T> {
  readonly items: readonly T[];
  readonly next_cursor: string | null;
}

/** `list`: the name of the action, so that a cursor of one list is refused by another. */
export function readCursor<T>(list: string, cursor: string | undefined, schema: z.ZodType<T>): T | undefined {
  if (cursor === undefined) return undefined;
  try {
    const [of, position] = z.tuple([z.string(), schema]).parse(JSON.parse(Buffer.from(cursor, 'base64url').toString()));
    if (of === list) return position;
  } catch {
    // Answered below: whatever is wrong with it, the caller made it up.
  }
  const errors = [{ path: 'cursor', message: `not a cursor of ${list}` }];
  throw new ApiProblem('invalid_request', 'cursor: take next_cursor from an answer, as it is.', { errors });
}

/** `found` holds one more than `limit` when there is a next page. */
export function page<S, T>(
  list: string,
  found: readonly S[],
  limit: number,
  position: (item: S) => string | number,
  show: (item: S) => T,
): Page<T> {
  const shown = found.slice(0, limit);
  const last = shown.at(-1);
  const more = found.length > limit && last !== undefined;
  const next_cursor = more ? Buffer.from(JSON.stringify([list, position(last)])).toString('base64url') : null;
  return { items: shown.map(show), next_cursor };
}
