import type { DeployInput } from '../domain/deploy/run.ts';
import type { FailureClass } from '../domain/deploy/words.ts';
import type { Journal } from './deploy-journal.ts';
import type { RunOverrides } from './run-overrides.ts';

/** What the steps of one deploy share. */
export interface DeployRun {
  readonly input: DeployInput;
  readonly run_id: string;
  readonly journal: Journal;
  readonly overrides: RunOverrides;
  /** Fencing token of the lock on the service. */
  readonly lock_token: string;
  /** Of the desired state as this run last saw or set it. */
  epoch: number;
}

/** What went wrong after the service was touched. An abort has no class: nothing failed, somebody changed their mind. */
export interface Failure {
  readonly failure_class: FailureClass | null;
  readonly reason: string;
}
