import { InvalidArgumentError, type Command } from 'commander';
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
  return parent.command(usage).description(description).option('--json', 'print JSON, of the same form as the API');
}

/** For `.action`: builds the context, runs the handler, turns its end into the exit code. */
export function runs<Args extends unknown[]>(handler: Handler<Args>): (...args: unknown[]) => Promise<void> {
  return async (...args) => {
    const command = args.pop() as Command;
    const { json = false } = command.opts<{ json?: boolean }>();
    const { perform } = await import('./perform.ts');
    process.exitCode = await perform(json, (context) => handler(context, ...(args as Args)));
  };
}

export function number(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`a whole number from ${least} to ${most}`);
  };
}
