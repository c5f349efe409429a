import type { ServiceLogPage } from '../../domain/log.ts';
import { BadPosition, type LogPage, type LogSource } from '../drivers/log-source.ts';
import type { InstanceStore, StoredInstance } from '../postgres/instances.ts';
import { BadCursor, cursorAt, readCursor, type StreamPlace } from './cursor.ts';

export interface ServiceLogDeps {
  readonly instances: Pick<InstanceStore, 'list'>;
  /** Of a driver, by its name; null: it has no logs. */
  readonly sourceOf: (driver: string) => LogSource | null;
  /** Can lines of this instance still come? */
  readonly isRunning: (instance: StoredInstance) => Promise<boolean>;
}

export type ServiceLog = ReturnType<typeof createServiceLog>;

/** What a page of one instance's log means in the log of the service. */
interface Found {
  readonly rows: readonly StoredInstance[];
  /** Which of `rows` the page is of. */
  readonly index: number;
  readonly page: LogPage;
  readonly truncated: boolean;
  /** The next read goes on with the next instance. */
  readonly leaving: boolean;
}

const noLog: LogPage = { lines: [], start: '', next: '', end: '', truncated: false, more: false };

/**
 * Row D14: the log of a service is that of its instances, one after the other; which one it is, is the epoch. An answer is
 * of one instance. Only the log of one that no longer runs is left behind, so that nothing is lost when two run at once.
 */
export function createServiceLog({ instances, sourceOf, isRunning }: ServiceLogDeps) {
  /** The one that serves: the oldest of those that are wanted and run, for beside it there may be a candidate; else the newest. */
  async function serving(rows: readonly StoredInstance[]): Promise<number> {
    for (const [index, row] of rows.entries()) if (row.wanted && (await isRunning(row))) return index;
    return rows.length - 1;
  }

  async function last(service: string, limit: number): Promise<ServiceLogPage> {
    const rows = await instances.list(service);
    const index = await serving(rows);
    const at = rows[index];
    if (at === undefined) return nothingYet(service);
    const page = (await sourceOf(at.spec.driver)?.tail(at, limit)) ?? noLog;
    const { truncated } = page;
    return answer(service, { rows, index, page: { ...page, more: false }, truncated, leaving: false });
  }

  async function onward(service: string, cursor: string, limit: number): Promise<ServiceLogPage> {
    const place = readCursor(service, cursor);
    const { rows, here } = await rowsFrom(service, place);
    if (rows.length === 0) return nothingYet(service);
    // A row that is gone took its log with it.
    let truncated = !here && place.epoch !== null;
    for (let index = 0; ; index += 1) {
      const found = await look(rows, index, index === 0 && here ? place.position : null, limit);
      truncated ||= found.page.truncated;
      if (!found.leaving || found.page.lines.length > 0) return answer(service, { ...found, truncated });
      truncated ||= found.page.lost_end ?? false;
    }
  }

  /** From the instance of a place on. When neither it nor a later one is there: all there are, because the database was put back. */
  async function rowsFrom(service: string, { seq, epoch }: StreamPlace) {
    const rows = await instances.list(service, { after: seq - 1 });
    const here = rows[0]?.seq === seq;
    if (here && rows[0]?.instance !== epoch) throw new BadCursor();
    return { here, rows: rows.length > 0 ? rows : await instances.list(service) };
  }

  async function look(rows: readonly StoredInstance[], index: number, from: string | null, limit: number) {
    const at = demand(rows[index]);
    // Asked first: what is written between that and the read is then read too.
    const mayEnd = index + 1 < rows.length && !(await isRunning(at));
    const source = sourceOf(at.spec.driver);
    const page =
      source === null ? noLog : await source.read(at, from === '' ? null : from, limit).catch(refusePosition);
    return { rows, index, page, leaving: mayEnd && !page.more };
  }

  async function answer(service: string, found: Found): Promise<ServiceLogPage> {
    const { rows, index, page, truncated, leaving } = found;
    const at = demand(rows[index]);
    const cursor = cursorAt(service, at, page.next);
    const has_more = page.more || leaving;
    return {
      logs: [...page.lines],
      cursor,
      start_cursor: cursorAt(service, at, page.start),
      end_cursor: has_more ? await endOfStream(service, found) : cursor,
      truncated,
      has_more,
      epoch: at.instance,
    };
  }

  /** The end of the last log that can be come to now. */
  async function endOfStream(service: string, { rows, index, page }: Found): Promise<string> {
    let end = index;
    while (end + 1 < rows.length && !(await isRunning(demand(rows[end])))) end += 1;
    const at = demand(rows[end]);
    if (end === index) return cursorAt(service, at, page.end);
    return cursorAt(service, at, (await sourceOf(at.spec.driver)?.tail(at, 1))?.end ?? noLog.end);
  }

  return {
    /** Without a cursor the last lines; else from there on. Throws BadCursor. */
    read: (service: string, cursor: string | null, limit: number): Promise<ServiceLogPage> =>
      cursor === null ? last(service, limit) : onward(service, cursor, limit),
  };
}

/** Nothing was ever started: a cursor from before the first line. */
function nothingYet(service: string): ServiceLogPage {
  const cursor = cursorAt(service, { seq: 0, instance: null }, '');
  return { logs: [], cursor, start_cursor: cursor, end_cursor: cursor, truncated: false, has_more: false, epoch: null };
}

function refusePosition(error: unknown): never {
  throw error instanceof BadPosition ? new BadCursor() : error;
}

function demand<T>(row: T | undefined): T {
  if (row === undefined) throw new Error('there is no such instance among those that were listed');
  return row;
}
