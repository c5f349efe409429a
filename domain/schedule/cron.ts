import { z } from 'zod';

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const weekdays = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

interface Field {
  readonly least: number;
  readonly most: number;
  readonly words?: readonly string[];
}

const fields: readonly Field[] = [
  { least: 0, most: 59 },
  { least: 0, most: 23 },
  { least: 1, most: 31 },
  { least: 1, most: 12, words: months },
  { least: 0, most: 7, words: weekdays },
];

/** Five fields, in UTC: minute, hour, day, month, weekday. */
export const cron = z
  .string()
  .max(200)
  .refine(isCron, 'five fields of cron: minute, hour, day, month, weekday')
  .meta({ description: 'In UTC.', examples: ['0 3 * * *'] });

function isCron(text: string): boolean {
  const given = text.trim().split(/\s+/);
  return given.length === fields.length && fields.every((field, index) => isField(given[index] ?? '', field));
}

function isField(text: string, field: Field): boolean {
  return text.split(',').every((part) => {
    const [, from = '', to, step] = /^(\*|[0-9a-z]+)(?:-([0-9a-z]+))?(?:\/(\d{1,4}))?$/i.exec(part) ?? [];
    if (step !== undefined && Number(step) < 1) return false;
    if (from === '*') return to === undefined;
    const [first, last] = [valueOf(from, field), to === undefined ? null : valueOf(to, field)];
    return !Number.isNaN(first) && (last === null || last >= first);
  });
}

/** NaN where it is none of this field. */
function valueOf(text: string, { least, most, words = [] }: Field): number {
  const word = words.indexOf(text.toLowerCase());
  const value = word === -1 ? Number(/^\d{1,2}$/.test(text) ? text : NaN) : word + (least === 1 ? 1 : 0);
  return value >= least && value <= most ? value : NaN;
}
