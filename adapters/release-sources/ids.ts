import { releaseId } from '../../domain/deploy/schemas.ts';

/** A release id as a program may have written it; null when it is none, or a word for none. */
export function idIn(text: string | null): string | null {
  const read = releaseId.safeParse(text);
  return read.success && !/^(unknown|none|null|nil|undefined|dev)$/i.test(read.data) ? read.data : null;
}
