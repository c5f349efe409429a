import type { OperatorCommands } from '../process/operator-command.ts';
import { commandOrder } from './command.ts';
import { idIn } from './ids.ts';
import type { Finding, ReleaseQuestion } from './release-source.ts';

export type LogTail = (service: string, limit: number) => Promise<readonly string[]>;

const lineCount = 200;
/** So much of a command's output is kept. */
const keptBytes = 65_536;
const token = /(?<![A-Za-z0-9_])(previous_)?release_id["']?\s*[=:]\s*["']?([A-Za-z0-9][A-Za-z0-9._:@/+-]*)/g;

interface LogDeps {
  readonly tail: LogTail;
  readonly commands: Pick<OperatorCommands, 'run'>;
  readonly timeout_ms: number;
}

/** `runtime_logs`: what the service last wrote of its release, `release_id=...` or `previous_release_id: ...`. */
export async function askRuntimeLogs(question: ReleaseQuestion, deps: LogDeps): Promise<Finding> {
  const ids = idsIn(await linesOf(question, deps));
  if (ids.release_id === null && ids.previous_release_id === null) {
    return { ids: null, reason: `no release_id in the last ${lineCount} lines of the log` };
  }
  // What it says that it is runs now and is what a deploy of another release goes back to, not the one before that.
  const now = ids.release_id === question.release_id ? null : ids.release_id;
  return { ids: { ...ids, previous_release_id: now ?? ids.previous_release_id } };
}

async function linesOf(question: ReleaseQuestion, { tail, commands, timeout_ms }: LogDeps): Promise<readonly string[]> {
  const argv = question.spec.commands?.logs;
  if (argv === undefined) return tail(question.service, lineCount);
  const { stdout } = await commands.run(commandOrder(question, 'logs', argv, timeout_ms));
  const lines = stdout.split('\n');
  // Half a line could say release_id where previous_release_id stood.
  return (Buffer.byteLength(stdout) >= keptBytes ? lines.slice(1) : lines).slice(-lineCount - 1);
}

/** The newest of each. */
function idsIn(lines: readonly string[]) {
  const ids = { release_id: null as string | null, previous_release_id: null as string | null };
  for (const [, previous, value] of lines.join('\n').matchAll(token)) {
    const id = idIn(value?.replace(/[.:@/+-]+$/, '') ?? null);
    if (id !== null) ids[previous === undefined ? 'release_id' : 'previous_release_id'] = id;
  }
  return ids;
}
