/** What a driver says of one instance (one start of one release). */
export interface InstanceState {
  readonly exists: boolean;
  readonly running: boolean;
  readonly pid: number | null;
  /** ISO time; null until the program ran. */
  readonly started_at: string | null;
  readonly restart_count: number;
  readonly exit_code: number | null;
  readonly exit_signal: string | null;
}

export interface StartRequest {
  readonly service: string;
  readonly release_id: string;
  /** Names this start for ever; starting the same instance again finds it instead of making a second one. */
  readonly instance: string;
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}
