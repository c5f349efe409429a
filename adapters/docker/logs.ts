import { existsSync } from 'node:fs';
import type { LogPage, LogSource } from '../drivers/log-source.ts';
import type { Docker } from './connection.ts';
import type { ContainerLogLimits } from './container-options.ts';
import type { Containers, Inspected } from './containers.ts';
import { LineAssembly, messagesIn, placeBefore, placeBehind, type Line, type Message } from './log-messages.ts';
import { asSeconds, beginning, readPlace, writePlace, type Place } from './log-position.ts';

export interface ContainerLogsDeps {
  readonly docker: Docker;
  readonly find: Containers['find'];
  readonly log: ContainerLogLimits;
}

/** One container's log as it is now. */
interface Log {
  /** As places name it. */
  readonly name: string;
  readonly id: string;
  /** What has begun may still be ended. */
  readonly running: boolean;
  readonly path: string;
}

interface Found {
  readonly lines: readonly Line[];
  readonly more: boolean;
  /** The place that was asked for was not there any more. */
  readonly lost: boolean;
}

/** What one answer may hold of text, but for its first line. */
const pageBytes = 1_048_576;
// Both outputs are written by one hand each, so a message may be behind one that is younger; hardly by so much.
const disorder = 10_000_000_000n;

/** Row D14: what Docker keeps of a container's two outputs, in the order in which it was written down. */
export function createContainerLogs({ docker, find, log: limits }: ContainerLogsDeps): LogSource {
  async function logOf(found: Inspected): Promise<Log> {
    const { Id, State, LogPath } = found;
    return { name: Id.slice(0, 12), id: Id, running: State.Running, path: LogPath };
  }

  async function* messages(log: Log, query: Readonly<Record<string, unknown>>): AsyncGenerator<Message> {
    const all = { stdout: true, stderr: true, timestamps: true, follow: false };
    const answer = await docker.stream(`/containers/${log.id}/logs`, { ...all, ...query });
    try {
      yield* messagesIn(answer);
    } catch (error) {
      throw docker.unreachable(error);
    } finally {
      answer.destroy();
    }
  }

  /** The last lines, at least `count` if there are so many. Reads more until it is sure where they begin. */
  async function lastLines(log: Log, count: number): Promise<readonly Line[]> {
    for (let window = 2 * count + 64; ; window *= 4) {
      const assembly = new LineAssembly();
      const lines: Line[] = [];
      let read = 0;
      let first: bigint | null = null;
      for await (const message of messages(log, { tail: String(window) })) {
        read += 1;
        first ??= message.time;
        const line = assembly.add(message, assembly.count(message));
        if (line !== null) lines.push(line);
      }
      if (!log.running) lines.push(...assembly.rest());
      const shown = lines.slice(-count);
      // The first line of each output may lack its beginning, and the first message may not be the first of its time.
      const sure = lines.length >= count + 2 && shown.every(({ time }) => time !== first);
      if (read < window || sure) return shown;
    }
  }

  async function onward(log: Log, from: Place | null, since: bigint | null, limit: number): Promise<Found> {
    const assembly = new LineAssembly();
    let passed = from === null;
    const lines: Line[] = [];
    let bytes = 0;
    const take = (line: Line | null) => {
      if (line === null) return true;
      bytes += line.text.length;
      if (lines.length > 0 && (lines.length >= limit || bytes > pageBytes)) return false;
      lines.push(line);
      return true;
    };
    const query = since === null ? {} : { since: asSeconds(since) };
    for await (const message of messages(log, query)) {
      const nth = assembly.count(message);
      const here = from !== null && message.time === from.time && nth === from.nth;
      if (here && from.side === 'before') passed = true;
      const line = assembly.add(message, nth);
      if (passed && !take(line)) return { lines, more: true, lost: false };
      if (here && from.side === 'behind') {
        passed = true;
        assembly.forget(message.stream);
      }
    }
    if (!passed) return { lines: [], more: false, lost: true };
    const left = log.running ? [] : assembly.rest();
    return { lines, more: left.some((line) => !take(line)), lost: false };
  }

  async function readFrom(log: Log, from: Place | null, last: Line | null, limit: number): Promise<Found> {
    if (from === null || from.nth === 0) {
      const lost = from !== null && (from.container !== log.name || mayHaveRotated(log.path, limits));
      return { ...(await onward(log, null, null, limit)), lost };
    }
    if (from.container === log.name) {
      const since = from.since > disorder ? from.since - disorder : 0n;
      // A clock that was set back writes times that lie before what was read already: then everything is looked at.
      const found = await onward(log, from, last === null || last.time < since ? null : since, limit);
      if (!found.lost) return found;
    }
    return { ...(await onward(log, null, null, limit)), lost: true };
  }

  return {
    async read(instance, from, limit) {
      const place = from === null ? null : readPlace(from);
      const found = await find(instance);
      if (found === null) return gone(place);
      const log = await logOf(found);
      const [last = null] = await lastLines(log, 1);
      if (place !== null && last !== null && isBehind(place, last, log)) return nothingNew(place);
      const { lines, more, lost } = await readFrom(log, place, last, limit);
      const origin = place === null || lost ? beginning(log.name) : place;
      const start = lines[0] === undefined ? origin : placeBefore(log.name, lines[0]);
      const next = lines.at(-1);
      const behind = next === undefined ? origin : placeBehind(log.name, next);
      const end = more && last !== null ? placeBehind(log.name, last) : behind;
      return page(lines, { start, next: behind, end }, { truncated: lost, more });
    },

    async tail(instance, limit) {
      const found = await find(instance);
      if (found === null) return gone(null);
      const log = await logOf(found);
      const lines = await lastLines(log, limit);
      const [first, last] = [lines[0], lines.at(-1)];
      const start = first === undefined ? beginning(log.name) : placeBefore(log.name, first);
      const next = last === undefined ? beginning(log.name) : placeBehind(log.name, last);
      return page(lines, { start, next, end: next }, { truncated: false, more: false });
    },
  };
}

/** Docker has thrown its oldest file away at least once, or is about to. Only root may look. */
function mayHaveRotated(path: string, { max_file }: ContainerLogLimits): boolean {
  return path !== '' && max_file > 1 && existsSync(`${path}.${max_file - 1}`);
}

function isBehind(place: Place, last: Line, { name }: Log): boolean {
  return place.container === name && place.side === 'behind' && place.time === last.time && place.nth === last.nth;
}

function nothingNew(place: Place): LogPage {
  return page([], { start: place, next: place, end: place }, { truncated: false, more: false });
}

/** Its container was removed, or not made yet: which of the two, the caller knows. */
function gone(from: Place | null): LogPage {
  const place = from ?? beginning('-');
  return { ...page([], { start: place, next: place, end: place }, { truncated: false, more: false }), lost_end: true };
}

function page(
  lines: readonly Line[],
  { start, next, end }: { readonly start: Place; readonly next: Place; readonly end: Place },
  { truncated, more }: { readonly truncated: boolean; readonly more: boolean },
): LogPage {
  return {
    ...{ lines: lines.map(({ text }) => text), truncated, more },
    ...{ start: writePlace(start), next: writePlace(next), end: writePlace(end) },
  };
}
