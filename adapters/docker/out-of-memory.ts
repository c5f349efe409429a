import type Dockerode from 'dockerode';
import type { Docker } from './connection.ts';

/** The exit code of what was ended by SIGKILL, as the kernel does it. */
const killed = 137;
/** How long after the end its reason may still come in: both are told by processes of their own, in any order. */
const lateMs = 2_000;
/** Should Docker's clock have been set meanwhile. */
const limitMs = 10_000;

/**
 * Whether a container went beyond its memory limit. Docker's `OOMKilled` leaves out (up to 20.10) what it hears after the end;
 * its event log does not. Who asks in the first two seconds waits for them to pass. What containerd never told, because the
 * container's cgroup was gone before it looked, nobody knows any more: then it is an end by SIGKILL like any other.
 */
export async function wasOutOfMemory(docker: Docker, found: Dockerode.ContainerInspectInfo): Promise<boolean> {
  const { Id, State, HostConfig } = found;
  if (State.OOMKilled) return true;
  if (State.Running || State.ExitCode !== killed || (HostConfig.Memory ?? 0) === 0) return false;
  const query = {
    since: secondsOf(State.StartedAt, 0),
    // Docker closes the answer then, by its own clock: at once where that has passed.
    until: secondsOf(State.FinishedAt, lateMs),
    filters: JSON.stringify({ type: ['container'], container: [Id], event: ['oom'] }),
  };
  const limit = AbortSignal.timeout(limitMs);
  try {
    for await (const _ of await docker.stream('/events', query, limit)) return true;
    return false;
  } catch (error) {
    if (limit.aborted) return false;
    throw docker.unreachable(error);
  }
}

function secondsOf(time: string, laterMs: number): string {
  return ((Date.parse(time) + laterMs) / 1_000).toFixed(3);
}
