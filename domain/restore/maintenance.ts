import type { Action, ActionName } from '../action.ts';

/** Of what writes: what has to go on while data are restored, and touches none of them. */
const goesOn: ReadonlySet<string> = new Set<ActionName>([
  // Questions.
  'search',
  // Nobody waits for a restore to take a token away.
  ...(['token_create', 'token_revoke'] as const),
  // What a restore asks an operator to do, and what ends one.
  ...(['service_stop', 'deploy_override', 'restore_cancel', 'restore_undo', 'restore_release'] as const),
]);

/** Row B6: reads go on; what would write is told to come again. */
export function isRefusedInMaintenance(name: ActionName, { method }: Pick<Action, 'method'>): boolean {
  return method !== 'get' && !goesOn.has(name);
}
