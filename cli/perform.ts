import { ConfigError, loadConfig, readTerminalWishes } from '../infra/config.ts';
import { CliError, ownProblem } from './cli-error.ts';
import { createApi } from './client.ts';
import type { Context } from './command.ts';
import { exitCodes, type ExitCode } from './exit-codes.ts';
import { createOutput, type Output } from './output.ts';

/** Runs the command of this name to its exit code. An expected failure is one line and the next command, never a stack trace. */
export async function perform(
  name: string,
  json: boolean,
  work: (context: Context) => Promise<ExitCode | undefined>,
): Promise<ExitCode> {
  const { colour, debug } = readTerminalWishes();
  const out = createOutput(json, colour);
  try {
    const config = loadConfig();
    // Found only by a command that asks it: `doctor` and `up` work also when nothing says where the API is.
    const context: Context = {
      config,
      out,
      get api() {
        return createApi(config);
      },
    };
    return (await work(context)) ?? exitCodes.ok;
  } catch (error) {
    if (debug && error instanceof Error) out.message(error.stack ?? error.message);
    return explain(asCliError(error), `${name} --help`, out);
  }
}

function explain({ message, exitCode, next: advice, problem }: CliError, help: string, out: Output): ExitCode {
  const next = advice ?? help;
  out.message(`holdfast: ${message}`);
  out.message(`next: ${next}`);
  if (out.json) out.data(problem ?? ownProblem(message, next), []);
  return exitCode;
}

function asCliError(error: unknown): CliError {
  if (error instanceof CliError) return error;
  const [message = ''] = (error instanceof Error ? error.message : String(error)).split('\n');
  if (error instanceof ConfigError)
    return new CliError(message, exitCodes.usage, 'see docs/reference/configuration.md');
  return new CliError(message, exitCodes.failed, 'HOLDFAST_DEBUG=1 shows where this came from');
}
