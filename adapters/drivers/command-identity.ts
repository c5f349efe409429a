import { z } from 'zod';
import { releaseId } from '../../domain/deploy/schemas.ts';
import { jsonIn } from '../files/json.ts';
import type { CommandResult } from '../process/run-command.ts';

/** What an operator's identity command says. */
export interface ReportedIdentity {
  readonly running: boolean;
  readonly release_id: string | null;
  readonly pid: number | null;
  readonly started_at: string | null;
  readonly restart_count: number;
  readonly exit_code: number | null;
  readonly build_sha: string | null;
}

const nothing: ReportedIdentity = {
  running: false,
  release_id: null,
  pid: null,
  started_at: null,
  restart_count: 0,
  exit_code: null,
  build_sha: null,
};

const printed = z.object({
  release_id: releaseId.nullable().default(null),
  running: z.boolean().default(true),
  pid: z.number().int().positive().nullable().default(null),
  started_at: z.iso.datetime({ offset: true }).nullable().default(null),
  restart_count: z.number().int().min(0).default(0),
  exit_code: z.number().int().nullable().default(null),
  build_sha: z.string().max(200).nullable().default(null),
});

/** JSON, or a release id and nothing else. Exit code 0 says that something runs, any other that nothing does. */
export function parseIdentity({ exit_code, stdout }: Pick<CommandResult, 'exit_code' | 'stdout'>): ReportedIdentity {
  if (exit_code !== 0) return nothing;
  const text = stdout.trim();
  if (!text.startsWith('{')) {
    const plain = releaseId.safeParse(text);
    return { ...nothing, running: true, release_id: plain.success ? plain.data : null };
  }
  const read = printed.safeParse(jsonIn(text));
  return read.success ? read.data : { ...nothing, running: true };
}
