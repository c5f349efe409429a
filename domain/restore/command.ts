import { isBefore, type RestoreCommand, type RestorePhase } from './words.ts';

/** Why a command is of no use to a restore in this phase; null: it is taken. */
export function refusalOf(command: RestoreCommand, phase: RestorePhase): string | null {
  if (command === 'cancel') {
    return isBefore(phase, 'swap') ? null : 'the restored data are live, or about to be: undo it while it is held';
  }
  return phase === 'held' ? null : `it is not held: it is in ${phase}`;
}
