/** Why the stack cannot be had, in one line, and what to do about it. */
export class StackError extends Error {
  override readonly name = 'StackError';
  constructor(
    message: string,
    readonly advice: string,
  ) {
    super(message);
  }
}

/** One of all of them, so that a person can see to all at once. `errors`: at least one. */
export function together(errors: readonly StackError[]): StackError {
  const [first] = errors;
  if (first !== undefined && errors.length === 1) return first;
  const all = (part: 'message' | 'advice', between: string): string =>
    [...new Set(errors.map((error) => error[part]))].join(between);
  return new StackError(all('message', '; '), all('advice', ' '));
}

/** What a full disk, a missing right or a broken disk looks like to a person. */
export function asStackError(error: unknown, doing: string): Error {
  if (error instanceof StackError) return error;
  const { code, path, message } = error as NodeJS.ErrnoException;
  const where = path === undefined ? '' : ` (${path})`;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new StackError(
      `The disk is full while ${doing}${where}`,
      'Make room, then run the same command again: it goes on.',
    );
  }
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new StackError(
      `Not allowed to write while ${doing}${where}`,
      'Set HOLDFAST_HOME to a folder that is yours.',
    );
  }
  if (code === 'ENOENT') {
    return new StackError(
      `That folder cannot be made, while ${doing}${where}`,
      'Set HOLDFAST_HOME to a folder that is yours.',
    );
  }
  if (code === 'ENOTDIR') {
    return new StackError(`There is a file in the way while ${doing}${where}`, 'Set HOLDFAST_HOME to a folder.');
  }
  return error instanceof Error ? error : new Error(message);
}
