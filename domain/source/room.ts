import { PermanentFailure } from '../failures.ts';

/** Left to everything else on the disk, Postgres above all. */
const keptFree = 1_073_741_824;

/** Throws NoRoom unless `needed` bytes fit into `free` bytes with something left over. Asked before anything is copied. */
export function demandRoom(what: string, needed: number, free: number): void {
  if (needed <= Math.max(0, free - keptFree)) return;
  throw new PermanentFailure(
    'NoRoom',
    `${what} needs ${inWords(needed)} and ${inWords(free)} are free, of which ${inWords(keptFree)} stay free. ` +
      'Make room on the disk of the data folder, narrow the include globs of the source, or lower its limits.',
  );
}

/** 10.5 GB and the like, in powers of 1,000. */
export function inWords(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length - 1, bytes < 1_000 ? 0 : Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1_000 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[power] ?? ''}`;
}
