import { ApplicationFailure } from '@temporalio/common';
import type { ActivityInboundCallsInterceptor } from '@temporalio/worker';
import { isPermanentFailure } from '../domain/failures.ts';

/** Adapters and rules throw PermanentFailure; only here does it become Temporal's word for "do not try again". */
export function permanentFailures(): ActivityInboundCallsInterceptor {
  return {
    async execute(input, next) {
      try {
        return await next(input);
      } catch (error) {
        if (!isPermanentFailure(error)) throw error;
        throw ApplicationFailure.nonRetryable(error.message, error.type);
      }
    },
  };
}
