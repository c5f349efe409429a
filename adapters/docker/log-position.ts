import { BadPosition } from '../drivers/log-source.ts';

/**
 * A place in the log of a container. Docker's messages have no numbers: what names one is its time and which of the
 * messages of that time it is.
 */
export interface Place {
  /** The first 12 digits of the container's id. */
  readonly container: string;
  /** Nanoseconds since 1970. */
  readonly time: bigint;
  /** 1 is the first message of this time; 0: before everything. */
  readonly nth: number;
  /** Reading must begin at this time to see the whole of the next line. */
  readonly since: bigint;
  /** Before the message, or behind it? */
  readonly side: 'before' | 'behind';
}

const pattern = /^([0-9a-f]{12}|-)\.(0|[1-9]\d{0,19})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,19})\.([bn])$/;

/** Of a log whose container was not there: `-`. */
export function beginning(container: string): Place {
  return { container, time: 0n, nth: 0, since: 0n, side: 'behind' };
}

export function writePlace({ container, time, nth, since, side }: Place): string {
  return [container, time, nth, time - since, side === 'before' ? 'b' : 'n'].join('.');
}

/** Throws BadPosition. */
export function readPlace(text: string): Place {
  const [, container, time, nth, lead, side] = pattern.exec(text) ?? [];
  if (container === undefined || time === undefined || lead === undefined || BigInt(lead) > BigInt(time)) {
    throw new BadPosition('not a position of the log of a container');
  }
  const at = BigInt(time);
  return { container, time: at, nth: Number(nth), since: at - BigInt(lead), side: side === 'b' ? 'before' : 'behind' };
}

const perSecond = 1_000_000_000n;

/** Of a time as Docker writes it, such as 2026-01-02T03:04:05.678901234Z. */
export function nanoseconds(text: string): bigint {
  const [, seconds = '', fraction = ''] = /^([^.]+?)(?:\.(\d+))?Z$/.exec(text) ?? [];
  const ms = Date.parse(`${seconds}Z`);
  if (Number.isNaN(ms)) throw new Error(`Not a time: ${text}`);
  return BigInt(ms / 1_000) * perSecond + BigInt(fraction.slice(0, 9).padEnd(9, '0'));
}

/** As Docker takes it: seconds with nine decimals. */
export function asSeconds(time: bigint): string {
  return `${time / perSecond}.${String(time % perSecond).padStart(9, '0')}`;
}
