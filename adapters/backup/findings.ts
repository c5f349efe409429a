import type { Finding, Level } from '../../domain/backup/finding.ts';

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
