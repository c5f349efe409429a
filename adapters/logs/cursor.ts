import { z } from 'zod';

/** Thrown for a cursor that is damaged, made up, or of another service. */
export class BadCursor extends Error {
  override readonly name = 'BadCursor';
}

/** A place in the log of a service. */
export interface StreamPlace {
  /** The order of the instance, known also when its row is gone; 0 with epoch null: before the first. */
  readonly seq: number;
  readonly epoch: string | null;
  /** In the log of that instance, as its driver names places; '': its beginning. */
  readonly position: string;
}

const version = 1;
const content = z.tuple([
  z.literal(version),
  z.string(),
  z.int().nonnegative(),
  z.string().min(1).max(200).nullable(),
  z.string().max(400),
]);

export function cursorAt(
  service: string,
  { seq, instance }: { seq: number; instance: string | null },
  position: string,
) {
  return encode([version, service, seq, instance, position]);
}

/** Throws BadCursor. */
export function readCursor(service: string, cursor: string): StreamPlace {
  const parsed = content.safeParse(decode(cursor));
  if (!parsed.success) throw new BadCursor();
  const [, of, seq, epoch, position] = parsed.data;
  // Decoding forgives what no cursor of ours holds; and before the first instance there is only one place.
  const isOurs = encode(parsed.data) === cursor && (epoch === null) === (seq === 0) && (seq > 0 || position === '');
  if (of !== service || !isOurs) throw new BadCursor();
  return { seq, epoch, position };
}

function encode(value: z.output<typeof content>): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function decode(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown;
  } catch {
    return null;
  }
}
