import type { Temporal } from './connect.ts';

export interface Poller {
  readonly identity: string;
  /** Milliseconds since 1970; 0 where it is not said. */
  readonly seenAtMs: number;
}

export interface PollersQuestion {
  readonly namespace: string;
  readonly taskQueue: string;
  readonly withinMs: number;
}

/** Who has asked for workflow tasks of this queue lately. A poll lasts up to a minute, and is seen when it begins. */
export async function pollersOf(
  { connection }: Pick<Temporal, 'connection'>,
  question: PollersQuestion,
): Promise<Poller[]> {
  const { namespace, taskQueue, withinMs } = question;
  const { pollers } = await connection.withDeadline(Date.now() + withinMs, () =>
    connection.workflowService.describeTaskQueue({ namespace, taskQueue: { name: taskQueue } }),
  );
  return pollers.map(({ identity, lastAccessTime }) => ({
    identity: identity ?? '',
    seenAtMs: Number(lastAccessTime?.seconds ?? 0) * 1_000,
  }));
}
