import { InvalidArgumentError, Option, type Command } from 'commander';
import type { Config } from '../infra/config.ts';
import type { Api } from './client.ts';
import type { ExitCode } from './exit-codes.ts';
import type { Output } from './output.ts';

/** What a command has to work with. */
export interface Context {
  readonly config: Config;
  readonly api: Api;
  readonly out: Output;
}

export type Handler<Args extends unknown[]> = (context: Context, ...args: Args) => Promise<ExitCode | undefined>;

/** A command of the program: its words, and what it does. Everything heavy is loaded only when it is run. */
export function leaf(parent: Command, usage: string, description: string): Command {
  const command = parent.command(usage).description(description);
  command.showHelpAfterError(`next: ${nameOf(command)} --help`);
  return command.option('--json', 'print JSON, of the same form as the API');
}

/** As it is typed: `holdfast wave start`. */
function nameOf(command: Command): string {
  return command.parent === null ? command.name() : `${nameOf(command.parent)} ${command.name()}`;
}

/** For `.action`: builds the context, runs the handler, turns its end into the exit code. */
export function runs<Args extends unknown[]>(handler: Handler<Args>): (...args: unknown[]) => Promise<void> {
  return async (...args) => {
    const command = args.pop() as Command;
    const { json = false } = command.opts<{ json?: boolean }>();
    const { perform } = await import('./perform.ts');
    process.exitCode = await perform(nameOf(command), json, (context) => handler(context, ...(args as Args)));
  };
}

export function number(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`a whole number from ${least} to ${most}`);
  };
}

/** For an option that may be repeated. */
export function several(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

const unitMs = { s: 1_000, m: 60_000, h: 3_600_000 } as const;

/** `90`, `90s`, `10m` or `1h`, in milliseconds. */
export function duration(text: string): number {
  const [, amount, unit = 's'] = /^(\d{1,6})([smh])?$/.exec(text) ?? [];
  const ms = Number(amount) * unitMs[unit as keyof typeof unitMs];
  if (ms > 0 && ms <= 24 * unitMs.h) return ms;
  throw new InvalidArgumentError('90s, 10m or 1h, at most 24h');
}

/** Follow to the end or leave at once: followed on a terminal, left elsewhere, unless said otherwise. */
export function waits(interactive: boolean, { wait, detach }: { wait?: boolean; detach?: boolean }): boolean {
  return wait ?? (interactive && detach !== true);
}

/** `--wait` and `--detach`, of which one at most may be given. */
export function waitOptions(command: Command): Command {
  return command
    .addOption(new Option('--wait', 'until its end; the default on a terminal').conflicts('detach'))
    .option('--detach', 'start it and leave; the default elsewhere')
    .option('--timeout <time>', 'with --wait: leave after 90s, 10m or 1h; the run goes on', duration);
}
