import type { WaveRequest } from './schemas.ts';

/** What a generation is embedded with, and where its points are. */
export interface EmbeddedWith {
  readonly identity: string;
  readonly collection: string;
}

/** G11: another model is a wave that says so. Why a wave may not begin; null: it may. `seen`: what is visible; null: nothing. */
export function refusalOfModel(
  seen: EmbeddedWith | null,
  now: EmbeddedWith,
  { reembed }: Pick<WaveRequest, 'reembed'>,
): string | null {
  if (seen === null || reembed) return null;
  if (seen.identity === now.identity && seen.collection === now.collection) return null;
  const advice = 'configure that one again, or start a wave with --reembed';
  return `The project is embedded with ${seen.identity}, and this box has ${now.identity}: ${advice}`;
}
