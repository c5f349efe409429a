import { Agent, get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { pages, pageText } from './deploy-workloads.ts';

/** One look from outside at a service's /health. Times in ms of performance.now(). */
export interface Sighting {
  readonly asked_ms: number;
  readonly answered_ms: number;
  readonly ok: boolean;
  readonly build_sha: string | null;
}

const lookPeriodMs = 50;
const lookTimeoutMs = 1_000;

/** Looks every 50 ms, also while an earlier look hangs. */
export function watchFromOutside(url: string): { end(): Promise<readonly Sighting[]> } {
  const looks: Promise<Sighting>[] = [];
  const timer = setInterval(() => looks.push(look(url)), lookPeriodMs);
  return {
    async end() {
      clearInterval(timer);
      return (await Promise.all(looks)).sort((a, b) => a.asked_ms - b.asked_ms);
    },
  };
}

async function look(url: string): Promise<Sighting> {
  const asked_ms = performance.now();
  const { status, body } = await request(url, false, lookTimeoutMs);
  const ok = status === 200;
  const build_sha = ok ? ((JSON.parse(body) as { build_sha?: string }).build_sha ?? null) : null;
  return { asked_ms, answered_ms: performance.now(), ok, build_sha };
}

/** From the first failing look at the bad release, once it was seen well, to the first good one at the release before. */
export function outageIn(seen: readonly Sighting[], bad: string, good: string): number | null {
  const up = seen.findIndex(({ ok, build_sha }) => ok && build_sha === bad);
  const failing = seen.slice(up).find(({ ok }) => !ok);
  if (up === -1 || failing === undefined) return null;
  const after = seen.filter(({ asked_ms }) => asked_ms > failing.asked_ms);
  const restored = after.find(({ ok, build_sha }) => ok && build_sha === good);
  return restored === undefined ? null : restored.answered_ms - failing.asked_ms;
}

export interface LoadReport {
  readonly requests: number;
  readonly seconds: number;
  readonly failed: readonly { readonly at_ms: number; readonly connection: string; readonly error: string }[];
}

const perSecond = 50;
/** Of so many requests one is still under way for a while when its release has to go. */
const slowEvery = 9;
const loadTimeoutMs = 15_000;

/** 50 requests a second until `end`: every second one on a kept connection, the others each on a fresh one. */
export function putUnderLoad(address: string): { end(): Promise<LoadReport> } {
  const kept = new Agent({ keepAlive: true });
  const began = performance.now();
  const open: Promise<void>[] = [];
  const failed: { at_ms: number; connection: string; error: string }[] = [];
  const over = new AbortController();

  async function one(number: number): Promise<void> {
    const at_ms = Math.round(performance.now() - began);
    const path = number % slowEvery === 0 ? pages.slow : pages.usual;
    const agent = number % 2 === 0 ? false : kept;
    const { status, body } = await request(`${address}${path}`, agent, loadTimeoutMs);
    if (status === 200 && body.startsWith(pageText)) return;
    const error = status === null ? body : `status ${status}: ${body.slice(0, 100)}`;
    failed.push({ at_ms, connection: agent === false ? 'fresh' : 'kept', error });
  }

  const sending = (async () => {
    while (!over.signal.aborted) {
      // By the clock, so that a busy machine gets all of them, if in bursts.
      const due = Math.floor(((performance.now() - began) / 1_000) * perSecond);
      while (open.length < due) open.push(one(open.length));
      await sleep(5);
    }
  })();
  return {
    async end() {
      over.abort();
      await sending;
      const seconds = Math.round((performance.now() - began) / 100) / 10;
      await Promise.all(open);
      kept.destroy();
      return { requests: open.length, seconds, failed };
    },
  };
}

/** `status` null: no answer; then `body` says why. */
function request(
  url: string,
  agent: Agent | false,
  timeoutMs: number,
): Promise<{ status: number | null; body: string }> {
  return new Promise((resolve) => {
    const fail = (error: NodeJS.ErrnoException) => resolve({ status: null, body: error.code ?? error.message });
    const asked = get(url, { agent, signal: AbortSignal.timeout(timeoutMs) }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => (body += text));
      response.once('error', fail);
      response.once('end', () => resolve({ status: response.statusCode ?? null, body }));
    });
    asked.once('error', fail);
  });
}
