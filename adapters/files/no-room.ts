import { PermanentFailure } from '../../domain/failures.ts';

/** A full disk, whichever way it was noticed, as PermanentFailure `NoRoom`: to try again would fill it again. Any other error as it is. */
export function noRoomOr(error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  const full = code === 'ENOSPC' || code === 'EDQUOT' || /No space left on device|Disk quota exceeded/.test(message);
  return full ? new PermanentFailure('NoRoom', `No room for it: ${message}`) : error;
}
