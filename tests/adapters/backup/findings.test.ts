import { isOfThePoint } from '../../../adapters/backup/findings.ts';
import { restoreFailure } from '../../../adapters/backup/restore-database.ts';
import { PermanentFailure } from '../../../domain/failures.ts';

const said = (line: string) => `pg_restore: connecting\npg_restore: error: ${line}\nCommand was: COPY public.chunks\n`;

test.each([
  ['NoRoom', 1, 'COPY failed for table "chunks": ERROR:  could not extend file "base/1/2": No space left on device'],
  ['Error', 1, 'could not execute query: FATAL:  terminating connection due to administrator command'],
  ['Error', 1, 'error returned by PQputCopyData: server closed the connection unexpectedly'],
  ['Error', 1, 'connection to server at "127.0.0.1" failed: FATAL:  the database system is shutting down'],
  ['Error', 137, 'a worker process died unexpectedly'],
])('B3 %s, not a fault of the point: pg_restore ended with %d: %s', (name, exit_code, line) => {
  const error = restoreFailure('data', exit_code, said(line));
  expect([error.name, isOfThePoint(error)]).toEqual([name, false]);
  expect(error.message).toContain(line);
});

test.each([
  'could not read from input file: end of file',
  'COPY failed for table "chunks": ERROR:  invalid byte sequence for encoding "UTF8": 0xff',
])('B3 the dump itself: %s', (line) => {
  const error = restoreFailure('data', 1, said(line));
  expect([error.name, isOfThePoint(error)]).toEqual(['RestoreRefused', true]);
});

test.each(['NoRoom', 'PostgresToolsMissing', 'CommandNotFound', 'KeyMissing'] as const)(
  'B3 %s is of this box, and no finding against a point',
  (type) => {
    expect(isOfThePoint(new PermanentFailure(type, 'as the test says'))).toBe(false);
  },
);
