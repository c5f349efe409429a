import { Option, type Command } from 'commander';
import { overrideActions } from '../../domain/deploy/words.ts';
import { duration, leaf, runs, type Context } from '../command.ts';

interface OverrideOptions {
  readonly target?: string;
  readonly extend?: number;
  readonly force?: boolean;
  readonly reason: string;
  readonly expires: number;
  readonly idempotencyKey?: string;
}

/** `deploys override`: row D9. */
export function overrideCommand(deploys: Command): void {
  leaf(deploys, 'override <id> <action>', `to a deploy that runs: ${overrideActions.join(', ')}`)
    .requiredOption('--reason <text>', 'why; it stands in the audit')
    .option('--target <release>', 'with choose_target: where to go back to')
    .option('--extend <time>', 'with extend_window: by 90s, 10m or 1h', duration)
    .addOption(
      new Option('--expires <time>', 'how long it counts: 90s, 10m or 1h').argParser(duration).default(3_600_000, '1h'),
    )
    .option('--force', 'also a target that is known to be bad; needs the role admin')
    .option('--idempotency-key <key>', 'the same key is the same override, for ever')
    .action(runs(override));
}

async function override(
  { api, out }: Context,
  id: string,
  action: string,
  { target, extend, force = false, reason, expires, idempotencyKey }: OverrideOptions,
): Promise<undefined> {
  const { overrideRequestSchema, overrideSchema } = await import('../../domain/deploy/override-schemas.ts');
  const { usageError } = await import('../cli-error.ts');
  const said = overrideRequestSchema.safeParse({
    ...{ action, force, reason, expires_at: new Date(Date.now() + expires).toISOString() },
    ...(target === undefined ? {} : { target }),
    ...(extend === undefined ? {} : { extend_ms: extend }),
  });
  if (!said.success) {
    throw usageError(said.error.issues.map(({ path, message }) => [...path, message].join(': ')).join('; '));
  }
  const path = `/v1/deploys/${encodeURIComponent(id)}/override`;
  const answer = await api.post(path, said.data, overrideSchema, idempotencyKey);
  out.data(answer, [`${action}: ${answer.accepted === null ? 'noted; the run has not answered yet' : 'accepted'}`]);
  out.message(`next: holdfast deploys show ${id} --follow`);
  return undefined;
}
