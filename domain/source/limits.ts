import { PermanentFailure } from '../failures.ts';
import { inWords } from './room.ts';

interface Limits {
  readonly max_files: number;
  readonly max_bytes: number;
}

/** Throws SourceTooLarge: a listing that stopped half way would make the rest look deleted. */
export function demandWithin(source: string, counted: { items: number; bytes: number }, limits: Limits): void {
  const { max_files, max_bytes } = limits;
  if (counted.items <= max_files && counted.bytes <= max_bytes) return;
  throw new PermanentFailure(
    'SourceTooLarge',
    `The source ${source} holds ${counted.items} files and ${inWords(counted.bytes)} or more; its limits allow ` +
      `${max_files} files and ${inWords(max_bytes)}. ` +
      'Narrow its include globs, or raise its limits in a refinement of the project.',
  );
}
