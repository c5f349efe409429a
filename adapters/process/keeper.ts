import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, constants, existsSync, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { findLabelled, identityOf, isAlive, startedAt, topOf, type ProcessIdentity } from './identity.ts';
import {
  claim,
  identityIn,
  neverRan,
  readState,
  stopWasAsked,
  writeState,
  type StoredState,
} from './instance-folder.ts';
import { LogSegments, type LogLimits } from './log-segments.ts';
import { OutputPipe } from './output-pipe.ts';

// The program `keeper.js <instance folder>`: starts one program, waits for it, keeps its log, remembers how it ended. It
// never restarts anything. It outlives what started it, so it and what it imports use nothing but Node's built-ins.

/** What a keeper is told, on its standard input: an environment may hold secrets, so it is in no file and no argv. */
export interface KeeperOrder {
  readonly service: string;
  readonly instance: string;
  readonly log: LogLimits;
  /** null: take over what runs, start nothing. */
  readonly program: Program | null;
}

interface Program {
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

interface Ending {
  readonly exit_code: number | null;
  readonly exit_signal: string | null;
  /** Why it never ran. */
  readonly reason?: string;
}

async function keep(folder: string): Promise<void> {
  // A stop of the stack reaches for everything around; what is deployed goes on, and so does its keeper.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const) process.on(signal, () => undefined);

  const order = await readOrder();
  const self = identityOf(process.pid);
  if (order === null || self === null) return;
  const number = claim(folder, self);
  if (number === null) return;

  const known = readState(folder);
  if (known?.exited_at != null) return;
  const running = identityIn(known) ?? (number === 0 ? null : await findOrphan(folder, order));
  if (running !== null) return takeOver(folder, order, running, known);
  if (order.program !== null) return start(folder, order, order.program);
}

/** null when the starter died before it had said everything. */
async function readOrder(): Promise<KeeperOrder | null> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as KeeperOrder;
  } catch {
    return null;
  }
}

/** What an earlier keeper started and had no time to write down. */
async function findOrphan(folder: string, order: KeeperOrder): Promise<ProcessIdentity | null> {
  // A keeper killed between fork and exec leaves a child that still looks like it, and will be the program in a moment.
  const deadline = Date.now() + 5_000;
  while (findLabelled({ HOLDFAST_KEEPER: folder }).some(({ pid }) => pid !== process.pid)) {
    if (Date.now() > deadline) throw new Error('another keeper of this instance neither works nor ends');
    await sleep(20);
  }
  const found = topOf(labelled(order))[0];
  if (found !== undefined) return found;
  // In the middle of an exec a process shows no environment at all: look twice.
  await sleep(50);
  return topOf(labelled(order))[0] ?? null;
}

function labelled({ service, instance }: KeeperOrder) {
  return findLabelled({ HOLDFAST_SERVICE: service, HOLDFAST_INSTANCE: instance });
}

async function start(folder: string, order: KeeperOrder, program: Program): Promise<void> {
  const save = stateWriter(folder);
  if (stopWasAsked(folder)) return save({ ...neverRan, exited_at: now() });
  const log = new LogSegments(folder, order.log);
  const pipe = new OutputPipe(folder, log);

  const { child, ending } = startProgram(program, pipe.path);
  const identity = child?.pid === undefined ? null : identityOf(child.pid);
  const state = { ...neverRan, ...identity, started_at: identity && startedAt(identity), cwd: program.cwd };
  if (identity !== null) void save(state);

  const endCopying = pipe.copy();
  const { reason, ...exit } = await ending;
  endCopying();
  pipe.drain();
  if (reason !== undefined) log.note(`${program.argv[0]} could not be started in ${program.cwd}: ${reason}`);
  await save({ ...state, ...exit, exited_at: now() });
  await copyForStragglers(order, pipe);
}

function startProgram({ argv, cwd, env }: Program, outputPath: string) {
  const output = openSync(outputPath, constants.O_RDWR);
  try {
    const child = spawn(argv[0] ?? '', argv.slice(1), { cwd, env, detached: true, stdio: ['ignore', output, output] });
    return { child, ending: endingOf(child) };
  } catch (error) {
    // Node throws some failures of the same kind that it reports as an event for others.
    return { child: null, ending: Promise.resolve(neverStarted(error)) };
  } finally {
    closeSync(output);
  }
}

function endingOf(child: ChildProcess): Promise<Ending> {
  return new Promise((resolve) => {
    child.once('exit', (exit_code, exit_signal) => resolve({ exit_code, exit_signal }));
    child.on('error', (error) => {
      if (child.pid === undefined) resolve(neverStarted(error));
    });
  });
}

/** The exit codes of a shell: 127 not found, 126 found but not to be started. */
function neverStarted(error: unknown): Ending {
  const { code, message } = error as NodeJS.ErrnoException;
  return { exit_code: code === 'ENOENT' ? 127 : 126, exit_signal: null, reason: message };
}

async function takeOver(folder: string, order: KeeperOrder, identity: ProcessIdentity, known: StoredState | null) {
  const save = stateWriter(folder);
  const { pid, start_time, boot_id } = identity;
  const state = known ?? { ...neverRan, pid, start_time, boot_id, started_at: startedAt(identity) };
  void save(state);
  const log = new LogSegments(folder, order.log);
  const pipe = new OutputPipe(folder, log);
  log.note('another keeper took over; the line before this one may be incomplete');

  const endCopying = pipe.copy();
  while (isAlive(identity)) await sleep(200);
  endCopying();
  pipe.drain();
  // Only a parent is told how its child ended, and that was the keeper before.
  await save({ ...state, exited_at: now() });
  await copyForStragglers(order, pipe);
}

/** The program is gone but children of it may live on; with nobody reading they would block. */
async function copyForStragglers(order: KeeperOrder, pipe: OutputPipe): Promise<void> {
  while (labelled(order).length > 0) {
    pipe.drain();
    await sleep(250);
  }
}

/** Writes until it is written: how a program ended must not be lost because the disk was full at that moment. */
function stateWriter(folder: string): (state: StoredState) => Promise<void> {
  let wanted: StoredState = neverRan;
  return async (state) => {
    wanted = state;
    for (;;) {
      try {
        writeState(folder, wanted);
        return;
      } catch {
        if (!existsSync(folder)) return;
        await sleep(500);
      }
    }
  };
}

function now(): string {
  return new Date().toISOString();
}

keep(process.argv[2] ?? '').then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(1);
  },
);
