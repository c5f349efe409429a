import { DefaultLogger, type Logger } from '@temporalio/worker';
import { pino } from 'pino';

// The worker of a box has activities only; that is meant, not worth a warning at every start.
const expected = /^No (workflows|Nexus services) registered/;

const levels = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;

/** Temporal's own messages as lines of JSON, with the ids of the run they are about. */
export function createLogger(): Logger {
  const log = pino({ name: 'worker', level: 'warn' }, pino.destination({ dest: 2, sync: true }));
  return new DefaultLogger('WARN', ({ level, message, meta }) => {
    if (!expected.test(message)) log[levels[level]](meta ?? {}, message);
  });
}
