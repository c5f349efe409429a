import type { RestoreEvidence, WantedSet } from './run.ts';

export type PreflightCheck = Omit<RestoreEvidence, 'phase' | 'detail'> & { readonly detail: object };

export interface PreflightReport {
  /** All that was looked at; one that is not ok refuses the restore. */
  readonly checks: readonly PreflightCheck[];
  /** What is to be restored of the point's file sets. */
  readonly sets: readonly WantedSet[];
  /** What will be well, but not as it should be. */
  readonly degraded: readonly string[];
}

export function passed(check: string, reason: string, detail: object = {}): PreflightCheck {
  return { check, ok: true, reason, detail };
}

export function refused(check: string, reason: string, detail: object = {}): PreflightCheck {
  return { check, ok: false, reason, detail };
}
