/** Of Temporal: locks are reaped when it is closed. */
export interface RunOfLock {
  readonly workflow_id: string;
  readonly run_id: string;
}

/** A lock of its own: whoever holds it is the next to hold the resource (adapters/postgres/locks.ts). */
export function turnFor(resource: string): string {
  return `${resource}.next`;
}
