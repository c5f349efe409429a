import { ActivityFailure, ApplicationFailure, isCancellation, TimeoutFailure } from '@temporalio/workflow';

/** One line of what ended a step: `BuildFailed: npm exited with 1`. */
export function failureReason(error: unknown): string {
  if (isCancellation(error)) return 'aborted';
  if (error instanceof ActivityFailure) {
    return error.cause === undefined ? error.message : `${failureReason(error.cause)} (${error.activityType})`;
  }
  if (error instanceof ApplicationFailure) return `${error.type ?? 'Error'}: ${error.message}`;
  if (error instanceof TimeoutFailure) return `Timeout: ${error.message}`;
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
