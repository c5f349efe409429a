/**
 * Row B7: how far the contents of a folder are replaced. All old entries are out before the first new one comes in, so that a
 * name tells whose it is by the state alone, and old and new are never one folder.
 */
export const replacementStates = [
  /** The new contents are being made, beside, in the folder's own file system. */
  'unpacking',
  /** They are whole, checked and on the disk. Until here nobody has seen anything. */
  'ready',
  'moving_out',
  'moving_in',
  'replaced',
  /** The way back: what came in goes out again, and what was there comes back. */
  'undoing_out',
  'undoing_in',
  'undone',
  /** What is not wanted any more is being deleted; there is no way back from here. */
  'finishing',
] as const;
export type ReplacementState = (typeof replacementStates)[number];

export type ReplacementStep = 'move_out' | 'move_in' | 'move_back_out' | 'move_back_in' | 'delete' | 'none';

type Next = { readonly step: ReplacementStep; readonly then: ReplacementState | null };

/** What is to be done next towards `wish`, and the state behind it; null: the work folder is gone. Throws when there is no way. */
export function nextStep(state: ReplacementState, wish: 'replace' | 'undo' | 'finish'): Next {
  const next = ways[wish][state];
  if (next === undefined) throw new Error(`A folder that is ${state} cannot be brought to ${wish}`);
  return next;
}

const ways: Readonly<Record<'replace' | 'undo' | 'finish', Partial<Record<ReplacementState, Next>>>> = {
  replace: {
    ready: { step: 'none', then: 'moving_out' },
    moving_out: { step: 'move_out', then: 'moving_in' },
    moving_in: { step: 'move_in', then: 'replaced' },
    replaced: { step: 'none', then: 'replaced' },
  },
  undo: {
    // Nothing new is in yet: what went out comes back to what never left.
    moving_out: { step: 'none', then: 'undoing_in' },
    moving_in: { step: 'none', then: 'undoing_out' },
    replaced: { step: 'none', then: 'undoing_out' },
    undoing_out: { step: 'move_back_out', then: 'undoing_in' },
    undoing_in: { step: 'move_back_in', then: 'undone' },
    undone: { step: 'none', then: 'undone' },
  },
  finish: {
    replaced: { step: 'none', then: 'finishing' },
    undone: { step: 'none', then: 'finishing' },
    finishing: { step: 'delete', then: null },
  },
};

/** Inside the folder, because only there it is surely the same mount. */
export function workFolderName(id: string): string {
  return `.holdfast-restore-${id.replaceAll('-', '').slice(0, 8)}`;
}

/** At the top of a file system: what its check has found. It is the file system's, and only root may touch it. */
export const lostAndFound = 'lost+found';

/** Left out of every capture, and of every listing of what is in the folder. */
export const workFolderPattern = /^\.holdfast-restore-[0-9a-f]{8}$/;
