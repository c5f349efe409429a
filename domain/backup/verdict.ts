import type { Finding } from './finding.ts';

export interface FindingsVerdict {
  readonly ok: boolean;
  readonly reason: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

/** How many findings a check names; all of them are counted. */
const named = 20;

/** What findings come to, as evidence. Nothing looked at is nothing proved. */
export function verdictOf(findings: readonly Finding[]): FindingsVerdict {
  const bad = findings.filter(({ ok }) => !ok);
  const [first] = bad;
  const told =
    bad.length > 0 ? bad.map(({ check, reason, detail }) => ({ check, reason, ...detail })) : findings.map(brief);
  const detail = { checks: findings.length, failed: bad.length, findings: told.slice(0, named) };
  if (findings.length === 0) return { ok: false, reason: 'nothing was looked at', detail };
  if (first === undefined) return { ok: true, reason: `${findings.length} checks`, detail };
  const more = bad.length === 1 ? '' : `, and ${bad.length - 1} more`;
  return { ok: false, reason: `${first.check}: ${first.reason}${more}`, detail };
}

function brief({ check, reason }: Finding): Pick<Finding, 'check' | 'reason'> {
  return { check, reason };
}
