import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProbeExit, ProbeOptions } from '../drivers/driver.ts';
import { reasonOf, statusOf, type Docker } from './connection.ts';

const keptBytes = 4_096;

/** Runs argv in a container. Throws, with code ENOENT, when it has no such program; and when it does not run. */
export async function execProbe(
  docker: Docker,
  container: string,
  argv: readonly string[],
  { timeout_ms, signal }: ProbeOptions,
): Promise<ProbeExit> {
  const { api, ask } = docker;
  const order = { Cmd: [...argv], AttachStdout: true, AttachStderr: true };
  const exec = await ask(() => api.getContainer(container).exec(order));
  const ended = new AbortController();
  const late = sleep(timeout_ms, 'late' as const, { signal: AbortSignal.any([signal, ended.signal]) });
  late.catch(() => undefined);
  try {
    const said = await Promise.race([output(docker, exec.id, ended.signal), late]);
    if (said === 'late') {
      await kill(docker, exec.id);
      return { exit_code: 137, timed_out: true };
    }
    const exit_code = await exitCode(docker, exec.id);
    if (exit_code >= 126 && notThere.test(said.text)) throw noProgram(argv);
    return { exit_code, timed_out: false };
  } catch (error) {
    if (signal.aborted) await kill(docker, exec.id).catch(() => undefined);
    signal.throwIfAborted();
    throw statusOf(error) !== null && notThere.test(reasonOf(error)) ? noProgram(argv) : error;
  } finally {
    ended.abort();
  }
}

const notThere = /OCI runtime exec failed[^]*(executable file not found|no such file or directory)/;

function noProgram([program = '']: readonly string[]): Error {
  return Object.assign(new Error(`The container has no program ${program}`), { code: 'ENOENT' });
}

/** The beginning of what it prints, when it has ended. */
async function output({ api, ask, unreachable }: Docker, id: string, signal: AbortSignal): Promise<{ text: string }> {
  const stream = await ask(() => api.getExec(id).start({ Detach: false, Tty: false, abortSignal: signal }));
  let text = '';
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      if (text.length < keptBytes) text += chunk.toString('latin1');
    }
  } catch (error) {
    throw unreachable(error);
  }
  return { text };
}

/** Docker closes the output a moment before it knows the code. */
async function exitCode({ api, ask }: Docker, id: string): Promise<number> {
  for (let tries = 0; tries < 100; tries += 1) {
    const { Running, ExitCode } = await ask(() => api.getExec(id).inspect());
    if (!Running && ExitCode !== null) return ExitCode;
    await sleep(20);
  }
  throw new Error('Docker does not say how the command in the container ended');
}

/** Docker has no way to end what it executes (moby#9098). On our own machine we may; elsewhere it ends by itself. */
async function kill({ api, ask }: Docker, id: string): Promise<void> {
  const { Running, Pid, ContainerID } = await ask(() => api.getExec(id).inspect());
  if (!Running || Pid === 0) return;
  const groups = await readFile(`/proc/${Pid}/cgroup`, 'utf8').catch(() => '');
  if (!groups.includes(ContainerID)) return;
  try {
    process.kill(Pid, 'SIGKILL');
  } catch {
    // It has ended, or only root may.
  }
}
