import { setTimeout as sleep } from 'node:timers/promises';
import type { InstanceState } from '../../domain/deploy/instance.ts';
import { PermanentFailure } from '../../domain/failures.ts';
import type { ProcessDriver } from '../process/driver.ts';
import type { OperatorCommands } from '../process/operator-command.ts';
import type { LogSource } from './log-source.ts';

export interface KeptCommand {
  readonly service: string;
  /** Names this run of the command for ever. */
  readonly instance: string;
  readonly release_id: string;
  /** Which of the service's commands it is. */
  readonly name: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** From its start, also when another worker started it. */
  readonly timeout_ms: number;
  readonly signal: AbortSignal;
}

export interface KeptCommandDeps {
  readonly processes: ProcessDriver;
  readonly commands: Pick<OperatorCommands, 'folderFor'>;
  readonly logs: LogSource | null;
}

const pollMs = 100;
const shownLines = 20;
/** A command that has to be ended gets this long to end in its own way. */
const graceMs = 10_000;

/** The operator's commands that change something, each under a keeper: it outlives the worker, and how it ended is kept. */
export function createKeptCommands({ processes, commands, logs }: KeptCommandDeps) {
  /**
   * Runs the command once, or joins the run that is under way, or answers what became of it. Throws CommandFailed when
   * it did not end well; when it is called off, the command itself goes on.
   */
  async function run(command: KeptCommand): Promise<void> {
    const { service, instance, release_id, argv, env, timeout_ms } = command;
    const cwd = await commands.folderFor(service);
    let state = await processes.start({ service, instance, release_id, argv, env, cwd });
    const deadline = Date.parse(state.started_at ?? new Date().toISOString()) + timeout_ms;
    while (state.running) {
      if (Date.now() > deadline) return giveUp(command);
      await sleep(pollMs, undefined, { signal: command.signal });
      state = await processes.inspect(service, instance);
    }
    if (state.exit_code !== 0) throw await failure(command, endingOf(state));
  }

  /** The same, but a run that is over is no answer: it is run another time, never two at once. */
  async function runAgain(command: KeptCommand): Promise<void> {
    const { service, instance } = command;
    const before = await processes.inspect(service, instance);
    if (before.exists && !before.running) await processes.forget(service, instance);
    await run(command);
  }

  async function giveUp(command: KeptCommand): Promise<never> {
    const { service, instance, timeout_ms, signal } = command;
    await processes.stop(service, instance, { timeout_ms: graceMs, signal });
    throw await failure(command, `took longer than ${timeout_ms} ms and was ended`);
  }

  async function failure(command: KeptCommand, ending: string): Promise<PermanentFailure> {
    const page = await logs?.tail(command, shownLines).catch(() => null);
    const lines = page?.lines.join('\n').slice(-2_000) ?? '';
    const what = `commands.${command.name} (${command.argv.join(' ').slice(0, 200)}) ${ending}`;
    return new PermanentFailure('CommandFailed', lines === '' ? what : `${what}:\n${lines}`);
  }

  return { run, runAgain };
}

function endingOf({ exit_code, exit_signal, started_at }: InstanceState): string {
  if (exit_code !== null) return `ended with ${exit_code}`;
  if (exit_signal !== null) return `was ended by ${exit_signal}`;
  return started_at === null ? 'was called off before it began' : 'is gone, and nobody saw how it ended';
}
