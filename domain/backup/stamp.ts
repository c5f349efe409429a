import { z } from 'zod';

const pattern = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z-[0-9a-f]{4}$/;

/** The name of a recovery point: the second (UTC) in which it was taken, and 4 hex digits against two in one second. */
export const stampSchema = z
  .string()
  .refine((text) => partsOf(text) !== null, 'not a STAMP such as 20261122T014500Z-9f3c')
  .meta({
    id: 'Stamp',
    description: 'The name of a recovery point: when it was taken (UTC), and 4 hex digits.',
    examples: ['20261122T014500Z-9f3c'],
  });

/** `random4`: 4 hex digits, from outside since the rules are pure. */
export function stampAt(at: Date, random4: string): string {
  const second = at.toISOString().replace(/[-:]|\.\d+/g, '');
  return stampSchema.parse(`${second}-${random4}`);
}

/**
 * Of this moment, and behind every other: a clock that was set back makes nothing older than what was there before. `newest`: the
 * latest that there is, null: none.
 */
export function stampAfter(newest: string | null, at: Date, random4: string): string {
  const next = newest === null ? at.getTime() : Math.max(at.getTime(), timeOf(newest).getTime() + 1_000);
  return stampAt(new Date(next), random4);
}

/** To the second. Throws when it is no STAMP. */
export function timeOf(stamp: string): Date {
  const at = partsOf(stamp);
  if (at === null) throw new Error(`Not a STAMP: ${JSON.stringify(stamp)}`);
  return at;
}

/** What an operator types to confirm what cannot be taken back. */
export function confirmationOf(stamp: string): string {
  return stamp.slice(-4);
}

/** null: it is no STAMP, or names a day or an hour that there is not. */
function partsOf(text: string): Date | null {
  const [, year, month, day, hour, minute, second] = pattern.exec(text) ?? [];
  if (year === undefined) return null;
  const iso = `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`;
  const at = new Date(iso);
  // February 30th is March 2nd to a Date.
  return !Number.isNaN(at.getTime()) && at.toISOString() === iso ? at : null;
}
