import type { NewCheck } from '../evidence.ts';
import type { DeployRequest } from './schemas.ts';
import type { FailureClass, Phase } from './words.ts';

/** What a deploy workflow is started with: references only, never contents or secrets. */
export interface DeployInput {
  readonly deploy_id: string;
  readonly service: string;
  readonly box: string;
  readonly actor: string;
  readonly request: DeployRequest;
  /** Set by watch/<service>, which never rolls back by itself: what it saw, of which desired state. */
  readonly watch?: WatchVerdict;
}

export interface WatchVerdict {
  readonly epoch: number;
  readonly failure_class: FailureClass;
  readonly reason: string;
}

export interface WatchInput {
  readonly service: string;
  readonly box: string;
}

export function watchWorkflowId(service: string): string {
  return `watch/${service}`;
}

export interface StopInput {
  readonly service: string;
  readonly box: string;
  readonly actor: string;
}

/** The id of the run is the lock of its subject: two deploys of a service cannot run at once. */
export function deployWorkflowId(service: string): string {
  return `deploy/${service}`;
}

/** The outcome of a check of a deploy, on its way into the records. */
export type NewEvidence = NewCheck<Phase>;

/** Names by which people and the API speak to a run, from here and from Temporal's own tools. */
export const overrideUpdate = 'override';
export const overrideSignal = 'override';
/** To watch/<service>: something about the service has changed. */
export const lookAgainSignal = 'look_again';
