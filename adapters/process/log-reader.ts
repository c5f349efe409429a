import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { BadPosition, type LogPage, type LogSource } from '../drivers/log-source.ts';
import { serviceFolder } from '../files/service-folder.ts';
import { findLabelled, isAlive } from './identity.ts';
import { identityIn, keeperIsAlive, readState } from './instance-folder.ts';
import { endOfLog, placeBefore } from './segment-ends.ts';
import {
  firstPlace,
  isPlace,
  openSegment,
  segmentNumbers,
  SegmentWalk,
  type Line,
  type Place,
} from './segment-walk.ts';

export interface ProcessLogs extends LogSource {
  /** Can lines still come? Also when the program has ended, while its keeper writes down what it said last. */
  isRunning(instance: InstanceName): Promise<boolean>;
}

interface InstanceName {
  readonly service: string;
  readonly instance: string;
}

/** What one answer may hold of text, but for its first line. */
const pageBytes = 1_048_576;
// What the keeper says when lines may be missing before its own: log-segments.ts and keeper.ts.
const lossNote = /^\[holdfast\] (\d+ lines could not be written and are lost$|another keeper took over; )/;

/** Row D14: the logs that keepers write. `root`: the home's services folder. A position is `<segment>:<byte offset>`. */
export function createProcessLogs({ root }: { readonly root: string }): ProcessLogs {
  function folderOf({ service, instance }: InstanceName): string {
    const named = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(instance);
    if (!named) throw new Error(`Not the name of an instance: ${JSON.stringify(instance)}`);
    return join(serviceFolder(root, service), 'instances', instance);
  }

  return {
    isRunning: async (instance) => mayGrow(instance, folderOf(instance)),

    async read(instance, from, limit) {
      const folder = folderOf(instance);
      const ended = !mayGrow(instance, folder);
      const place = from === null ? null : await demandPlace(folder, from, ended);
      if (place === 'gone') return shown(nothingLeft, true);
      const page = await readPage(new SegmentWalk(folder, place, ended), limit);
      const end = page.more ? await endOfLog(folder, ended, page.next) : page.next;
      return shown({ ...page, end }, ended && diedEarly(folder));
    },

    async tail(instance, limit) {
      const folder = folderOf(instance);
      const ended = !mayGrow(instance, folder);
      const end = await endOfLog(folder, ended, firstPlace);
      const from = await placeBefore(folder, end, { lines: limit, bytes: pageBytes });
      const page = await readUntil(new SegmentWalk(folder, from, ended), end, limit);
      return shown({ ...page, end: page.next, more: false }, ended && diedEarly(folder));
    },
  };
}

function mayGrow({ service, instance }: InstanceName, folder: string): boolean {
  if (keeperIsAlive(folder)) return true;
  const state = readState(folder);
  if (state?.exited_at != null) return false;
  // Pruned: known without looking through all processes, as of one whose keeper died.
  if (!existsSync(folder)) return false;
  const identity = identityIn(state);
  if (identity !== null && isAlive(identity)) return true;
  // A keeper that has claimed nothing yet will write what is left in the pipe; a program without a state file is given one.
  const starting = findLabelled({ HOLDFAST_KEEPER: folder }).length > 0;
  return (
    starting || (state === null && findLabelled({ HOLDFAST_SERVICE: service, HOLDFAST_INSTANCE: instance }).length > 0)
  );
}

/** Without an ending: the keeper died with its program and could not write everything, or all of it was removed. */
function diedEarly(folder: string): boolean {
  return readState(folder)?.exited_at == null;
}

async function demandPlace(folder: string, from: string, ended: boolean): Promise<Place | 'gone'> {
  const [, segment, offset] = /^([1-9]\d{0,9}):(0|[1-9]\d{0,14})$/.exec(from) ?? [];
  if (segment === undefined) throw new BadPosition('not a position of a log');
  const place = { segment: Number(segment), offset: Number(offset) };
  const last = (await segmentNumbers(folder)).at(-1);
  if (last === undefined) return isBefore(firstPlace, place) ? 'gone' : place;
  if (place.segment > last) throw new BadPosition('this log does not go that far');
  const handle = await openSegment(folder, place.segment);
  if (handle === null) return place;
  try {
    if (await isPlace(handle, place.offset, ended || place.segment < last)) return place;
    throw new BadPosition('no line begins there');
  } finally {
    await handle.close();
  }
}

interface Piece {
  readonly lines: string[];
  readonly start: Place;
  readonly next: Place;
  readonly truncated: boolean;
  readonly more: boolean;
}

const nothingLeft: Piece & { readonly end: Place } = {
  lines: [],
  start: firstPlace,
  next: firstPlace,
  end: firstPlace,
  truncated: true,
  more: false,
};

/** Ends before a line in front of which some are missing, so that an answer never has a hole in its middle. */
async function readPage(walk: SegmentWalk, limit: number): Promise<Piece> {
  const lines: Line[] = [];
  let bytes = 0;
  const piece = (next: Place, more: boolean): Piece => ({
    lines: lines.map(({ text }) => text),
    start: lines[0]?.start ?? next,
    next,
    truncated: lines[0] === undefined ? walk.gap : isAfterLoss(lines[0]),
    more,
  });
  try {
    for (;;) {
      const before = walk.place;
      const line = await walk.next();
      if (line === null) return walk.gap && lines.length > 0 ? piece(before, true) : piece(walk.place, false);
      const full = lines.length >= limit || bytes + line.bytes > pageBytes;
      if (lines.length > 0 && (full || isAfterLoss(line))) return piece(line.gap ? before : line.start, true);
      lines.push(line);
      bytes += line.bytes;
    }
  } finally {
    await walk.close();
  }
}

/** The last lines up to a place: what is added meanwhile is for the next answer. */
async function readUntil(walk: SegmentWalk, end: Place, limit: number): Promise<Omit<Piece, 'more'>> {
  const lines: Line[] = [];
  try {
    while (isBefore(walk.place, end)) {
      const line = await walk.next();
      if (line === null) break;
      lines.push(line);
      if (lines.length > limit) lines.shift();
    }
    const start = lines[0]?.start ?? walk.place;
    return {
      lines: lines.map(({ text }) => text),
      start,
      next: walk.place,
      truncated: lines.slice(1).some(isAfterLoss),
    };
  } finally {
    await walk.close();
  }
}

function isAfterLoss({ text, gap }: Line): boolean {
  return gap || lossNote.test(text);
}

function isBefore(one: Place, other: Place): boolean {
  return one.segment < other.segment || (one.segment === other.segment && one.offset < other.offset);
}

function shown(piece: Piece & { readonly end: Place }, lostEnd: boolean): LogPage {
  const { lines, start, next, end, truncated, more } = piece;
  const name = ({ segment, offset }: Place) => `${segment}:${offset}`;
  return { lines, start: name(start), next: name(next), end: name(end), truncated, more, lost_end: lostEnd };
}
