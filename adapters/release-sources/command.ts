import { z } from 'zod';
import { jsonIn } from '../files/json.ts';
import type { OperatorCommand, OperatorCommands } from '../process/operator-command.ts';
import { idIn } from './ids.ts';
import type { Finding, ReleaseQuestion } from './release-source.ts';

const id = z.string().nullable().default(null);
const printed = z.object({ release_id: id, previous_release_id: id });

/** `command`: the operator's own, which prints JSON with both ids. */
export async function askCommand(
  question: ReleaseQuestion,
  { commands, timeout_ms }: { readonly commands: Pick<OperatorCommands, 'run'>; readonly timeout_ms: number },
): Promise<Finding> {
  const argv = question.spec.commands?.releases;
  if (argv === undefined) return { ids: null, reason: 'the service has no commands.releases' };
  const { exit_code, stdout } = await commands.run(commandOrder(question, 'releases', argv, timeout_ms));
  if (exit_code !== 0) return { ids: null, reason: `commands.releases ended with ${exit_code}` };
  const read = printed.safeParse(jsonIn(stdout));
  if (!read.success) return { ids: null, reason: 'commands.releases did not print {release_id, previous_release_id}' };
  const ids = { release_id: idIn(read.data.release_id), previous_release_id: idIn(read.data.previous_release_id) };
  return ids.release_id === null && ids.previous_release_id === null
    ? { ids: null, reason: 'commands.releases names no release' }
    : { ids };
}

/** An operator's command that is asked about releases: it may take as long as the question. */
export function commandOrder(
  { service, spec, release_id, signal }: ReleaseQuestion,
  name: string,
  argv: readonly string[],
  timeout_ms: number,
): OperatorCommand {
  const env = { ...spec.run.env, HOLDFAST_SERVICE: service, HOLDFAST_RELEASE_ID: release_id };
  return { service, name, argv, env, timeout_ms, signal };
}
