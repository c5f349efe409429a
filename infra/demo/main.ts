import { setTimeout as sleep } from 'node:timers/promises';
import { loadConfig } from '../config.ts';
import { prepareHome } from '../stack/home.ts';
import { createReport } from '../stack/report.ts';
import { startStack } from '../stack/stack.ts';
import { StackError } from '../stack/stack-error.ts';
import { AlreadyRunning } from '../stack/supervisor-lock.ts';
import type { Chapter, Proved } from './chapter.ts';
import { deployChapter } from './deploy-chapter.ts';
import { createHoldfast } from './holdfast.ts';

/** Each pipeline adds the chapter in which it is walked. */
const chapters: readonly { readonly title: string; readonly walk: Chapter }[] = [
  { title: 'Deploy: promoted, or rolled back', walk: deployChapter },
];

const write = (line: string): void => void process.stdout.write(`${line}\n`);

async function main(signal: AbortSignal): Promise<void> {
  const config = loadConfig();
  write('Holdfast demo\n');
  const stack = await startStack(config, createReport(write), { apps: true, signal }).catch(async (error: unknown) => {
    if (!(error instanceof AlreadyRunning)) throw error;
    write(`  ✓ ${error.message}: its stack is used`);
    return { home: await prepareHome(config), stop: () => Promise.resolve() };
  });
  try {
    const proved = await walkAll(stack.home.root, signal);
    write('\nProved:');
    for (const { what, link } of proved) write(`  ✓ ${what}${link === null ? '' : `\n      ${link}`}`);
    write('\nThe links open while Holdfast runs: npm start');
  } finally {
    await stack.stop();
  }
}

async function walkAll(home: string, signal: AbortSignal): Promise<Proved[]> {
  // This machine's Holdfast, also where the user works with another one.
  const holdfast = createHoldfast({ HOLDFAST_HOME: home, HOLDFAST_URL: '', HOLDFAST_TOKEN: '' }, write);
  const proved: Proved[] = [];
  for (const { title, walk } of chapters) {
    write(`\n— ${title} —`);
    const interrupted = sleep(2 ** 31 - 1, undefined, { signal, ref: false });
    const done = walk({ holdfast, folder: `${home}/demo`, tell: write });
    proved.push(...(await Promise.race([done, interrupted as Promise<never>])));
  }
  return proved;
}

const interrupt = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => interrupt.abort());

main(interrupt.signal).then(
  () => process.exit(0),
  (error: unknown) => {
    if (interrupt.signal.aborted) {
      process.stderr.write('interrupted; the same command goes on where this one was\n');
      process.exit(130);
    }
    process.stderr.write(`holdfast: the demo failed: ${error instanceof Error ? error.message : String(error)}\n`);
    if (error instanceof StackError) process.stderr.write(`next: ${error.advice}\n`);
    process.exit(1);
  },
);
