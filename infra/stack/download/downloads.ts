/** What bounds a download. */
export interface DownloadLimits {
  /** Until a server begins to answer: what a machine without a network waits for. */
  readonly answerMs: number;
  /** Between two pieces of a file. */
  readonly idleMs: number;
  readonly totalMs: number;
  readonly mostBytes: number;
  readonly progressMs: number;
}

const usualLimits: DownloadLimits = {
  answerMs: 5_000,
  idleMs: 30_000,
  totalMs: 20 * 60_000,
  mostBytes: 2 * 1024 ** 3,
  progressMs: 5_000,
};

/** Where downloads go, whether there may be any, and what this process has learnt about the network. */
export interface Downloads {
  /** False: nothing outside this machine is asked for anything. */
  readonly enabled: boolean;
  readonly cache: string;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
  readonly limits: DownloadLimits;
  /** Hosts that could not be reached, and why: they are not waited for again. */
  readonly unreachable: Map<string, string>;
}

export function prepareDownloads({
  limits,
  ...rest
}: Pick<Downloads, 'enabled' | 'cache' | 'say' | 'signal'> & {
  readonly limits?: Partial<DownloadLimits>;
}): Downloads {
  return { ...rest, limits: { ...usualLimits, ...limits }, unreachable: new Map() };
}
