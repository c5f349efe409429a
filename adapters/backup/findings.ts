import type { Finding, Level } from '../../domain/backup/finding.ts';
import { isPermanentFailure, type FailureType, type PermanentFailure } from '../../domain/failures.ts';

const shown = 5;

/** A check that holds when nothing is against it; else the first few things are its reason. */
function finding(level: Level, check: string, against: readonly string[], detail: Finding['detail'] = {}): Finding {
  const more = against.length > shown ? ` and ${against.length - shown} more` : '';
  const reason = against.length === 0 ? 'equal' : `${against.slice(0, shown).join('; ')}${more}`;
  return { level, check, ok: against.length === 0, reason, detail };
}

export function l1(check: string, against: readonly string[], detail?: Finding['detail']): Finding {
  return { ...finding('L1', check, against, detail), ...(against.length === 0 ? { reason: 'whole' } : {}) };
}

export function l2(check: string, against: readonly string[], detail?: Finding['detail']): Finding {
  return finding('L2', check, against, detail);
}

const ofTheBox: readonly FailureType[] = ['NoRoom', 'PostgresToolsMissing', 'CommandNotFound', 'KeyMissing'];

/** A finding against the point. Not: a disk that is full, a program or a key that is missing, a server that is away. */
export function isOfThePoint(error: unknown): error is PermanentFailure {
  return isPermanentFailure(error) && !ofTheBox.includes(error.type);
}
